// Command people writes a file of invented people; without flags, the sample. Phones are numbers that nobody is given, as
// long as there are enough of these.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/contactmill/contactmill/deploy/standalone/people"
)

func main() {
	o := people.Sample()
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "the same seed makes the same people")
	flag.IntVar(&o.Rows, "rows", o.Rows, "rows")
	flag.IntVar(&o.First, "first", o.First, "number of the first person")
	flag.Float64Var(&o.Duplicates, "duplicates", o.Duplicates, "share of rows that repeat an earlier one")
	flag.Float64Var(&o.Invalid, "invalid", o.Invalid, "share of rows with a bad cell")
	flag.Float64Var(&o.Messy, "messy", o.Messy, "share of phones not in E.164")
	flag.Parse()
	o.Fictional = o.First+o.Rows <= people.MostFictional
	if _, err := people.Write(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "people:", err)
		os.Exit(1)
	}
}
