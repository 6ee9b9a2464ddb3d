package proof

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// maxLoops through a comprehension until what its accumulator carries does not change any more. Macros need two.
const maxLoops = 8

// analysis finds out which parts of the predicate an expression may look at. It follows values through the tree: what
// it cannot follow, as into a function, is looked at as a whole. So what is kept is enough, if not always the least.
type analysis struct {
	root *need
	// scopes of variables that macros declare, the innermost last.
	scopes []scope
}

type scope struct {
	name  string
	value *carried
}

// carried is what a value of the expression may hold of the predicate.
type carried struct {
	// parts of the predicate that the value may be.
	parts []*need
	// items are what the elements may be, where the value is a list or map that the expression made itself.
	items *carried
}

// analyse adds what an expression looks at.
func (n *need) analyse(expression *ast.AST) {
	a := &analysis{root: n}
	a.consume(a.value(expression.Expr()))
}

// value follows an expression. It never returns nil.
func (a *analysis) value(e ast.Expr) *carried {
	switch e.Kind() {
	case ast.IdentKind:
		return a.ident(e.AsIdent())
	case ast.SelectKind:
		operand := a.value(e.AsSelect().Operand())
		member := operand.member(e.AsSelect().FieldName())
		if e.AsSelect().IsTestOnly() {
			return &carried{}
		}
		return member
	case ast.CallKind:
		return a.call(e.AsCall())
	case ast.ListKind:
		list := &carried{}
		for _, element := range e.AsList().Elements() {
			list.items = union(list.items, a.value(element))
		}
		return list
	case ast.MapKind:
		made := &carried{}
		for _, entry := range e.AsMap().Entries() {
			a.consume(a.value(entry.AsMapEntry().Key()))
			made.items = union(made.items, a.value(entry.AsMapEntry().Value()))
		}
		return made
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			a.consume(a.value(field.AsStructField().Value()))
		}
	case ast.ComprehensionKind:
		return a.comprehension(e.AsComprehension())
	}
	return &carried{}
}

func (a *analysis) ident(name string) *carried {
	plain := strings.TrimPrefix(name, ".")
	found := &carried{}
	for _, scope := range slices.Backward(a.scopes) {
		if scope.name == plain {
			if plain == name {
				return scope.value
			}
			found = scope.value
			break
		}
	}
	// A leading dot means the outermost variable; which one CEL takes, both are kept.
	if plain == variablePredicate {
		found = union(found, &carried{parts: []*need{a.root}})
	}
	return found
}

// comprehension follows a loop, which every macro is.
func (a *analysis) comprehension(loop ast.ComprehensionExpr) *carried {
	over := a.value(loop.IterRange())
	elements := over.elements()
	declared := []scope{{loop.IterVar(), elements}}
	if loop.HasIterVar2() {
		// The first is a key or an index, which is no part of the predicate.
		declared = []scope{{loop.IterVar(), &carried{}}, {loop.IterVar2(), elements}}
	}
	accumulated := a.value(loop.AccuInit())
	for i := 0; ; i++ {
		a.scopes = append(a.scopes, declared...)
		a.scopes = append(a.scopes, scope{loop.AccuVar(), accumulated})
		a.consume(a.value(loop.LoopCondition()))
		next := union(accumulated, a.value(loop.LoopStep()))
		a.scopes = a.scopes[:len(a.scopes)-len(declared)-1]
		if next.equal(accumulated) {
			break
		}
		if accumulated = next; i == maxLoops {
			a.root.whole = true
			break
		}
	}
	a.scopes = append(a.scopes, scope{loop.AccuVar(), accumulated})
	result := a.value(loop.Result())
	a.scopes = a.scopes[:len(a.scopes)-1]
	return result
}

// call follows a function or an operator.
func (a *analysis) call(call ast.CallExpr) *carried {
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	if isNullTest(call.FunctionName(), args) {
		for _, arg := range args {
			a.value(arg) // its type is all that is asked
		}
		return &carried{}
	}
	values := make([]*carried, len(args))
	for i, arg := range args {
		values[i] = a.value(arg)
	}
	if result := a.transparent(call.FunctionName(), args, values); result != nil {
		return result
	}
	for _, value := range values {
		a.consume(value)
	}
	return &carried{}
}

// isNullTest recognises x == null and x != null.
func isNullTest(function string, args []ast.Expr) bool {
	return (function == operators.Equals || function == operators.NotEquals) && slices.ContainsFunc(args, func(arg ast.Expr) bool {
		return arg.Kind() == ast.LiteralKind && arg.AsLiteral() == types.NullValue
	})
}

// transparent follows the functions that return parts of their arguments, or look at less than the whole of them. It
// returns nil for all others.
func (a *analysis) transparent(function string, args []ast.Expr, values []*carried) *carried {
	switch {
	case function == operators.Conditional && len(values) == 3:
		a.consume(values[0])
		return union(values[1], values[2])
	case (function == operators.Index || function == operators.OptIndex || function == operators.OptSelect) && len(values) == 2:
		if args[1].Kind() == ast.LiteralKind {
			if key, ok := args[1].AsLiteral().(types.String); ok {
				return values[0].member(string(key))
			}
		}
		a.consume(values[1])
		return values[0].elements()
	case function == operators.Add && len(values) == 2:
		return union(values[0], values[1])
	case function == "cel.@mapInsert" && len(values) == 3:
		a.consume(values[1])
		return union(values[0], &carried{items: values[2]})
	case (function == "orValue" || function == "or") && len(values) == 2:
		return union(values[0], values[1])
	case (function == "dyn" || function == "optional.of" || function == "value") && len(values) == 1:
		return values[0]
	case function == "optional.ofNonZeroValue" && len(values) == 1:
		values[0].count()
		return values[0]
	case function == "size" && len(values) == 1:
		values[0].count()
		return &carried{}
	case (function == "type" || function == "hasValue") && len(values) == 1:
		return &carried{}
	}
	return nil
}

// consume marks all that a value holds as looked at.
func (a *analysis) consume(value *carried) {
	for ; value != nil; value = value.items {
		for _, part := range value.parts {
			part.whole = true
		}
	}
}

// count marks how many elements a value has as looked at.
func (c *carried) count() {
	for _, part := range c.parts {
		part.size = true
	}
}

// member returns what a member of the value holds.
func (c *carried) member(key string) *carried {
	found := &carried{}
	for _, part := range c.parts {
		found.parts = append(found.parts, part.field(key))
	}
	return union(found, c.items)
}

// elements returns what the elements of the value hold.
func (c *carried) elements() *carried {
	found := &carried{}
	for _, part := range c.parts {
		found.parts = append(found.parts, part.elements())
	}
	return union(found, c.items)
}

// union of two, either of which may be nil; nil if both are.
func union(a, b *carried) *carried {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := &carried{parts: slices.Clone(a.parts), items: union(a.items, b.items)}
	for _, part := range b.parts {
		if !slices.Contains(both.parts, part) {
			both.parts = append(both.parts, part)
		}
	}
	return both
}

// equal tells whether two hold the same; b may hold no more than a does.
func (c *carried) equal(other *carried) bool {
	for ; c != nil && other != nil; c, other = c.items, other.items {
		if len(c.parts) != len(other.parts) {
			return false
		}
	}
	return c == nil && other == nil
}
