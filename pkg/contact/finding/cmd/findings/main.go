// Findings writes the catalogue of findings as a page of Markdown:
//
//	findings docs/findings.md
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const head = `# Findings

What can be wrong or doubtful about a cell, a row or a file, made from [pkg/contact/finding](../pkg/contact/finding) by
` + "`make docs`" + `. A code is stable: it is never renamed, only added. In reports it stands in the column reason.

A *warning* takes the value, with a remark; where it says *repaired*, the value taken is not the one written, and both are
shown. An *error* refuses the value, and its row is INVALID unless the account's
policy drops the cell. A *refusal* turns away the whole file before any effect.

| code | severity | what is the case | what to do |
| --- | --- | --- | --- |
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "findings: want the page to write")
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[1], page(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "findings: write the page:", err)
		os.Exit(1)
	}
}

func page() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, e := range finding.All() {
		severity := e.Severity.String()
		if e.Code.Repaired() {
			severity += ", repaired"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.Code, severity, e.Text, e.Hint)
	}
	return b.Bytes()
}
