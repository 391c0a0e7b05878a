// Package services_test holds the house together: who may import whom, what folders are called, and what the pages of
// docs say. It reads the whole tree, which go's test cache does not see: run it with -count=1, as `make test` does.
package services_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = ".."
	module = "github.com/contactmill/contactmill/"
)

// law is who may not import what. Paths of ours are relative to the root; "/..." takes in what is below. Every exception
// has to be needed, and every rule has to speak of a package: else it is wrong or old.
var law = []rule{
	{packages: "proto/...", never: []string{"pkg/...", "services/...", "deploy/..."},
		why: "contracts know nobody"},
	{packages: "pkg/...", never: []string{"services/...", "deploy/..."},
		why: "what services share cannot know them"},
	{packages: "services/...", never: []string{"deploy/..."},
		why: "a service does not know how it is run"},
	{packages: "docs/client", never: []string{"pkg/...", "services/...", "deploy/..."},
		why: "an upstream application has the contract alone"},
	{packages: "docs/provider", never: []string{"pkg/...", "services/...", "deploy/..."},
		why: "so has a provider"},
	{packages: "docs/provider", never: []string{"pkg/...", "services/...", "deploy/..."},
		why: "so has who writes a provider"},
	{packages: "services/cli/...", never: []string{"pkg/postgres/...", "pkg/bus/...", "pkg/blob/...", "pkg/stage/..."},
		why: "the command line is a pure gRPC client"},
	{packages: "...", never: []string{"pkg/contactdb/..."}, except: []string{"services/merge/...", "services/contacts/...", "services/migrate/..."},
		why: "the contact database belongs to merge and contacts; whoever migrates knows its schema"},
	{packages: "services/ingest/internal/ledger", never: []string{"proto/...", "google.golang.org/protobuf/...", "google.golang.org/grpc/..."},
		why: "protobuf stops at the edge"},

	{packages: "pkg/fault", never: []string{"pkg/..."},
		why: "everybody speaks of faults, so they can depend on nobody"},
	{packages: "pkg/contact/...", never: []string{"net", "net/http", "os", "database/sql", "pkg/postgres", "pkg/bus", "pkg/blob", "pkg/rpc"},
		except: []string{"pkg/contact/finding/cmd/findings"},
		why:    "the noun is pure: the same value in, the same value out"},
	{packages: "pkg/sheet/...", never: []string{"net", "net/http", "os", "pkg/postgres", "pkg/bus", "pkg/blob", "pkg/rpc"},
		why: "reading a table needs bytes and nothing else"},
	{packages: "pkg/mapping/...", never: []string{"net", "net/http", "os", "pkg/postgres", "pkg/bus", "pkg/blob", "pkg/rpc"},
		why: "the same headings mean the same; what is remembered comes in"},
	{packages: "pkg/row/...", never: []string{"net", "net/http", "os", "pkg/postgres", "pkg/bus", "pkg/blob", "pkg/rpc"},
		why: "codecs write to a writer; where it leads is not theirs"},
	{packages: "pkg/event/...", never: []string{"pkg/bus", "pkg/rpc", "pkg/postgres"},
		why: "names and payloads do not depend on who carries them"},

	{packages: "...", never: []string{"github.com/nats-io/nats.go/..."}, except: []string{"pkg/bus", "deploy/standalone/..."},
		why: "one package knows JetStream's traps"},
	{packages: "...", never: []string{"github.com/minio/minio-go/v7/..."}, except: []string{"pkg/blob", "deploy/standalone/..."},
		why: "one package knows how an S3 server lets down"},
	{packages: "...", never: []string{"github.com/jackc/pgx/v5/..."},
		except: []string{"pkg/postgres/...", "pkg/contactdb/...", "services/accounts", "services/ingest/internal/ledger", "services/enrichment/...", "services/merge", "services/email", "deploy/standalone/..."},
		why:    "SQL is spoken by the owners of tables alone"},
	{packages: "...", never: []string{"github.com/pressly/goose/v3/..."}, except: []string{"pkg/postgres"},
		why: "migrations run in one way"},
	{packages: "...", never: []string{"github.com/wneessen/go-mail/..."}, except: []string{"pkg/mail"},
		why: "one package decides what may be sent again"},
	{packages: "...", never: []string{"github.com/tink-crypto/tink-go/v2/..."}, except: []string{"pkg/keyring"},
		why: "keys and associated data are made in one place"},
	{packages: "...", never: []string{"github.com/nyaruka/phonenumbers/..."}, except: []string{"pkg/contact", "services/provider/internal/tables", "deploy/standalone/bench"},
		why: "a phone has one reading; the provider's tables tell lines and regions"},
	{packages: "...", never: []string{"github.com/xuri/excelize/v2/..."}, except: []string{"services/accounts", "deploy/standalone/bench"},
		why: "it writes templates; files are read by our own reader"},
	{packages: "...", never: []string{"github.com/klauspost/compress/..."}, except: []string{"pkg/row", "services/enrichment/internal/inquiry"},
		why: "objects between stages, and answers kept in the provider ledger, are all that is packed"},
	{packages: "...", never: []string{"github.com/cloudevents/sdk-go/v2/..."}, except: []string{"pkg/event"},
		why: "one package spells payloads"},
	{packages: "...", never: []string{"github.com/caarlos0/env/v11/..."}, except: []string{"pkg/config"},
		why: "settings are read in one way"},
	{packages: "...", never: []string{"github.com/prometheus/client_golang/..."}, except: []string{"pkg/telemetry"},
		why: "metrics are registered in one way"},
	{packages: "...", never: []string{"github.com/spf13/cobra/...", "github.com/vbauerster/mpb/v8/..."}, except: []string{"services/cli"},
		why: "the command line alone talks to people"},
	{packages: "...", never: []string{"github.com/nats-io/nats-server/v2/...", "github.com/versity/versitygw/...", "github.com/emersion/go-smtp/..."}, except: []string{"deploy/standalone/..."},
		why: "real parts are for one machine and for tests; their dependencies stay there"},
}

type rule struct {
	packages string
	never    []string
	except   []string
	why      string
}

// badNames are no nouns: what they hold has a name, or is no thing yet.
var badNames = []string{"util", "utils", "common", "helper", "helpers", "types", "models", "manager", "misc", "shared", "lib", "base", "impl"}

func TestImportsKeepTheLaw(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for _, r := range law {
		spoken := false
		needed := map[string]bool{}
		for _, p := range packages {
			if !matches(r.packages, p.path) {
				continue
			}
			spoken = true
			for _, imported := range p.imports {
				if !slices.ContainsFunc(r.never, func(n string) bool { return matches(n, imported) }) || owner(p.path) == owner(imported) {
					continue
				}
				if i := slices.IndexFunc(r.except, func(e string) bool { return matches(e, p.path) }); i >= 0 {
					needed[r.except[i]] = true
					continue
				}
				t.Errorf("%s imports %s: %s", p.path, imported, r.why)
			}
		}
		if !spoken {
			t.Errorf("no package is %s, of which the law says: %s", r.packages, r.why)
		}
		for _, e := range r.except {
			if !needed[e] {
				t.Errorf("%s is excepted from %q and does not need it", e, r.why)
			}
		}
	}
}

// owner is what may import all of itself: a service, or a package with its folders.
func owner(p string) string {
	parts := strings.SplitN(p, "/", 3)
	if len(parts) < 2 || !slices.Contains([]string{"pkg", "services"}, parts[0]) {
		return p
	}
	return parts[0] + "/" + parts[1]
}

func TestServicesDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range load(t) {
		if !strings.HasPrefix(p.path, "services/") {
			continue
		}
		seen[owner(p.path)] = true
		for _, imported := range append(p.imports, p.testImports...) {
			if strings.HasPrefix(imported, "services/") && owner(imported) != owner(p.path) && owner(p.path) != "services/migrate" {
				t.Errorf("%s imports %s: services meet on the wire alone, so that each can be started, scaled and replaced by itself", p.path, imported)
			}
		}
	}
	if len(seen) < 9 {
		t.Errorf("found services %v, which cannot be all", seen)
	}
}

func TestMainsAreShort(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("*/cmd/*/main.go")
	if err != nil || len(mains) < 9 {
		t.Fatalf("found mains %v, %v, which cannot be all", mains, err)
	}
	for _, name := range mains {
		if n := len(lines(t, name)); n > 30 {
			t.Errorf("%s has %d lines, 30 are enough: what it does belongs into the service", name, n)
		}
	}
}

func TestServicesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("*/cmd")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		name := filepath.Dir(dir)
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(name, name+".go"), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("the file that opens service %s: %v", name, err)
			continue
		}
		for _, label := range []string{"In ", "Out ", "Owns ", "Promises "} {
			if !strings.Contains(file.Doc.Text(), "\t"+label) {
				t.Errorf("the package comment of service %s has no line %q", name, label)
			}
		}
	}
}

func TestFoldersAreNouns(t *testing.T) {
	t.Parallel()
	walk(t, func(name string, d fs.DirEntry) {
		if d.IsDir() && slices.Contains(badNames, d.Name()) {
			t.Errorf("%s: say what it holds", name)
		}
	})
}

// A distance is an endpoint, never an if.
func TestNoServiceKnowsHowItIsRun(t *testing.T) {
	t.Parallel()
	walk(t, func(name string, d fs.DirEntry) {
		if d.IsDir() || !strings.HasPrefix(name, "services/") || strings.Count(name, "/") < 2 || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "services/systemtest/") {
			return
		}
		for i, line := range lines(t, filepath.Join(root, name)) {
			if strings.Contains(strings.ToLower(line), "standalone") {
				t.Errorf("%s:%d: says standalone", name, i+1)
			}
		}
	})
}

// No query goes across schemas: what another owner knows is asked over the wire.
func TestQueriesStayInTheirSchema(t *testing.T) {
	t.Parallel()
	other := regexp.MustCompile(`(?i)\b(from|join|into|update|table)\s+(accounts|ingest|enrichment|contacts|email)\.`)
	own := map[string]string{"pkg/contactdb/": "contacts", "services/contacts/": "contacts", "services/merge/": "contacts"}
	seen := 0
	walk(t, func(name string, d fs.DirEntry) {
		if path.Ext(name) != ".sql" || strings.HasPrefix(name, "deploy/") {
			return
		}
		seen++
		schema := strings.Split(name, "/")[1]
		for prefix, s := range own {
			if strings.HasPrefix(name, prefix) {
				schema = s
			}
		}
		for i, line := range lines(t, filepath.Join(root, name)) {
			for _, found := range other.FindAllStringSubmatch(line, -1) {
				if found[2] != schema {
					t.Errorf("%s:%d: speaks of schema %s", name, i+1, found[2])
				}
			}
		}
	})
	if seen < 50 {
		t.Errorf("found %d statements, which cannot be all", seen)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{"...": true, "pkg/...": true, "pkg/bus": true, "pkg/bus/...": true, "pkg/b": false, "pkg/b/...": false, "pkg": false, "services/...": false} {
		if got := matches(pattern, "pkg/bus"); got != want {
			t.Errorf("%s matches pkg/bus: got %v, want %v", pattern, got, want)
		}
	}
}

func matches(pattern, p string) bool {
	if pattern == "..." {
		return true
	}
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == below || strings.HasPrefix(p, below+"/")
	}
	return p == pattern
}

// folder is a package as its files say; imports of ours are relative to the root.
type folder struct {
	path                 string
	imports, testImports []string
}

func load(t *testing.T) []*folder {
	t.Helper()
	byPath := map[string]*folder{}
	walk(t, func(name string, d fs.DirEntry) {
		if d.IsDir() || path.Ext(name) != ".go" {
			return
		}
		f := byPath[path.Dir(name)]
		if f == nil {
			f = &folder{path: path.Dir(name)}
			byPath[f.path] = f
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imported = strings.TrimPrefix(imported, module)
			if strings.HasSuffix(name, "_test.go") {
				f.testImports = append(f.testImports, imported)
			} else {
				f.imports = append(f.imports, imported)
			}
		}
	})
	var all []*folder
	for _, f := range byPath {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *folder) int { return strings.Compare(a.path, b.path) })
	if len(all) < 40 {
		t.Fatalf("found %d packages, which cannot be all", len(all))
	}
	return all
}

// walk visits what belongs to the house, named from the root with slashes; not what tools and runs leave behind.
func walk(t *testing.T, visit func(name string, d fs.DirEntry)) {
	t.Helper()
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		if d.IsDir() && (name == "bin" || strings.HasPrefix(name, ".") && name != ".") {
			return fs.SkipDir
		}
		visit(filepath.ToSlash(name), d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 8<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
