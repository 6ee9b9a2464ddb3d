package configuration

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// The bounds of the samples of one regular expression: of the length of each, and of all that is made on the way to
// them, in bytes.
const (
	maxSample  = 8 << 10
	maxSamples = 4 << 20
)

// sample is two texts that a regular expression may match. They differ wherever it leaves the text open: wherever
// something may stand that was not listed.
type sample struct{ one, other string }

// same is a sample of what a regular expression lists.
func same(text string) sample { return sample{one: text, other: text} }

// invented are names that nobody's policy means, for where a regular expression leaves the text open.
func invented() []sample {
	return []sample{{"stranger", "nobody"}, {"stranger.example", "nobody.example"}, {"STRANGER", "NOBODY"}, {"STRANGER.EXAMPLE", "NOBODY.EXAMPLE"}, {"4711", "92"}}
}

// sampler makes the samples of one regular expression.
type sampler struct {
	// left are the bytes that it may still make.
	left int
	// spent is set where there are more ways than it may go.
	spent bool
}

// samplesOf returns pairs that together go every way of a regular expression; not all of them need match it as a whole,
// as of assertions within it. Complete is false where there are too many ways.
func samplesOf(re *syntax.Regexp) (all []sample, complete bool) {
	s := &sampler{left: maxSamples}
	all = s.of(re)
	return all, !s.spent
}

// add appends a sample while there may be more.
func (s *sampler) add(all []sample, one, other string) []sample {
	s.left -= len(one) + len(other) + 1
	if s.left < 0 || len(one) > maxSample || len(other) > maxSample {
		s.spent = true
	}
	if s.spent {
		return all
	}
	return append(all, sample{one, other})
}

func (s *sampler) of(re *syntax.Regexp) []sample {
	switch re.Op {
	case syntax.OpLiteral:
		return []sample{same(string(re.Rune))}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		// Most often a dot that was not escaped, but strangers may own what has something else there.
		return []sample{same("."), {".", "x"}}
	case syntax.OpCharClass:
		return []sample{same(string(someRune(re)))}
	case syntax.OpCapture:
		return s.of(re.Sub[0])
	case syntax.OpStar:
		return s.repeated(re.Sub[0], 0, -1)
	case syntax.OpPlus:
		return s.repeated(re.Sub[0], 1, -1)
	case syntax.OpQuest:
		return append([]sample{{}}, s.of(re.Sub[0])...)
	case syntax.OpRepeat:
		return s.repeated(re.Sub[0], re.Min, re.Max)
	case syntax.OpConcat:
		all := []sample{{}}
		for _, sub := range re.Sub {
			all = s.product(all, s.of(sub))
		}
		return all
	case syntax.OpAlternate:
		var all []sample
		for _, sub := range re.Sub {
			all = append(all, s.of(sub)...)
		}
		return all
	}
	return []sample{{}} // assertions
}

func (s *sampler) product(before, after []sample) []sample {
	var all []sample
	for _, first := range before {
		for _, second := range after {
			if s.spent {
				return all
			}
			all = s.add(all, first.one+second.one, first.other+second.other)
		}
	}
	return all
}

// repeated makes samples of something that may stand there several times; most is -1 where there is no limit.
func (s *sampler) repeated(re *syntax.Regexp, least, most int) []sample {
	if names := namesOf(re, least, most); len(names) > 0 {
		return names
	}
	once := max(least, 1)
	twice := once + 1
	if most >= 0 {
		once, twice = min(once, most), min(twice, most)
	}
	var all []sample
	if least == 0 {
		all = append(all, sample{})
	}
	for _, part := range s.of(re) {
		times := once
		if part.one == part.other {
			times = twice
		}
		all = s.add(all, strings.Repeat(part.one, once), strings.Repeat(part.other, times))
	}
	return all
}

// namesOf are invented names for a repetition of a set of characters: without and with a dot, where both can be.
func namesOf(re *syntax.Regexp, least, most int) []sample {
	fits := fitting(re)
	if fits == nil {
		return nil
	}
	var all []sample
	for _, name := range invented() {
		filled := sample{fill(name.one, least, most), fill(name.other, least, most)}
		foreign := strings.ContainsFunc(filled.one+filled.other, func(r rune) bool { return !fits(r) })
		if filled.one != filled.other && !foreign && len(all) < 2 {
			all = append(all, filled)
		}
	}
	return all
}

// fill brings a name to a length that is allowed.
func fill(name string, least, most int) string {
	for len(name) < least {
		name += name
	}
	if limit := max(least, 1); most >= 0 && len(name) > most {
		name = name[:max(limit, most)]
	}
	return name
}

// fitting tells which characters a set of them has; it is nil for all that is no set.
func fitting(re *syntax.Regexp) func(rune) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return func(rune) bool { return true }
	case syntax.OpCharClass:
		return func(r rune) bool {
			for i := 0; i+1 < len(re.Rune); i += 2 {
				if re.Rune[i] <= r && r <= re.Rune[i+1] {
					return true
				}
			}
			return false
		}
	case syntax.OpCapture:
		return fitting(re.Sub[0])
	}
	return nil
}

// someRune is one of a set, if possible one that can stand in a name.
func someRune(re *syntax.Regexp) rune {
	fits := fitting(re)
	usual := []rune("x-._1/@")
	if i := slices.IndexFunc(usual, fits); i >= 0 {
		return usual[i]
	}
	return re.Rune[0]
}
