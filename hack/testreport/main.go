// Command testreport reads the event files of `go test -json`. With CI=true it fails, with names and
// reasons, when a test was skipped or a suite ran no test at all, because a test that CI does not run
// protects nothing; elsewhere the runner's own summary of skips is enough.
//
//	testreport [--totals] FILE...
//
// With --totals it prints the sum over all files as one closing line. It runs no tests itself.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	totals := flag.Bool("totals", false, "print the sum over all files")
	flag.Parse()
	strict := os.Getenv("CI") == "true"
	if err := run(flag.Args(), *totals, strict); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func run(files []string, totals, strict bool) error {
	var sum counts
	var problems []string
	for _, file := range files {
		suite, err := readFile(file)
		if err != nil {
			return err
		}
		sum.add(suite.counts)
		problems = append(problems, suite.problems()...)
	}
	if totals {
		fmt.Println("total:", sum)
	}
	if strict && len(problems) > 0 {
		return fmt.Errorf("with CI=true every test must run:\n  %s", strings.Join(problems, "\n  "))
	}
	return nil
}

func readFile(path string) (*suite, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening test events: %w", err)
	}
	defer file.Close()
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	return readSuite(name, file)
}
