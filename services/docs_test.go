package services_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are all pages of the house.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	walk(t, func(name string, d fs.DirEntry) {
		if d.IsDir() || path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	})
	if len(all) < 8 {
		t.Fatalf("found %d pages, which cannot be all", len(all))
	}
	return all
}

var (
	link   = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	code   = regexp.MustCompile("`([^`\n]+)`")
	target = regexp.MustCompile(`(?:^|[\s(;&])make ([a-z][a-z0-9-]*)`)
	ours   = regexp.MustCompile(`^(?:\./)?((?:pkg|proto|services|deploy|docs|\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_])(?:/?\.\.\.)?/?$`)
	shell  = regexp.MustCompile(`(?m)^    .*$`)
)

func TestPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || m[1] == "mailto" {
				continue
			}
			if to := path.Join(path.Dir(name), m[1]); !exists(to) {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
		for _, m := range append(code.FindAllStringSubmatch(text, -1), shellWords(text)...) {
			for word := range strings.FieldsSeq(m[1]) {
				if p := ours.FindStringSubmatch(strings.Trim(word, ",;")); p != nil && !exists(p[1]) {
					t.Errorf("%s speaks of %s, which is not there", name, p[1])
				}
			}
		}
	}
}

func TestPagesNameTargetsOfMake(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, text := range pages(t) {
		said := append(code.FindAllStringSubmatch(text, -1), shellWords(text)...)
		for _, m := range said {
			for _, word := range target.FindAllStringSubmatch(m[1], -1) {
				seen++
				if !regexp.MustCompile(`(?m)^` + word[1] + `:`).Match(makefile) {
					t.Errorf("%s says make %s, which is no target", name, word[1])
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("found %d targets of make, which cannot be all", seen)
	}
}

// Every command and flag that README's cheat sheet names is one that the command line has.
func TestReadmeNamesCommands(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	files, err := filepath.Glob("cli/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no command line: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	readme := pages(t)["README.md"]
	_, sheet, ok := strings.Cut(readme, "## The command line")
	if !ok {
		t.Fatal("README.md has no cheat sheet of the command line")
	}
	sheet, _, _ = strings.Cut(sheet, "\n## ")
	seen := 0
	for _, m := range code.FindAllStringSubmatch(sheet, -1) {
		words := strings.Fields(strings.TrimPrefix(m[1], "contactmill "))
		for i, w := range words {
			flag := strings.HasPrefix(w, "--")
			w = strings.TrimPrefix(w, "--")
			if !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(w) || i > 0 && strings.HasPrefix(words[i-1], "-") {
				continue // what stands for something else, and values of flags
			}
			seen++
			if flag && !strings.Contains(source.String(), `"`+w+`"`) || !flag && !regexp.MustCompile(`"`+w+`[ "]`).MatchString(source.String()) {
				t.Errorf("README.md names %q of `%s`, which the command line does not have", w, m[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("found %d words of commands, which cannot be all", seen)
	}
}

// shellWords are the lines of indented blocks, as matches.
func shellWords(text string) [][]string {
	var all [][]string
	for _, line := range shell.FindAllString(text, -1) {
		all = append(all, []string{line, strings.TrimSpace(line)})
	}
	return all
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}
