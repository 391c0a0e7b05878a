package rpc

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	_ "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	_ "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	_ "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	_ "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	_ "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

// registered is every method of ours, and whether it is unary.
func registered() map[string]bool {
	methods := map[string]bool{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "contactmill.") {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				methods["/"+string(s.FullName())+"/"+string(m.Name())] = !m.IsStreamingClient() && !m.IsStreamingServer()
			}
		}
		return true
	})
	return methods
}

func TestEveryMethodIsInTheTableAndNothingElse(t *testing.T) {
	t.Parallel()
	want := slices.Sorted(maps.Keys(registered()))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(access))); diff != "" {
		t.Errorf("methods (-of the contracts +of the table):\n%s", diff)
	}
	for method, p := range access {
		if p == 0 || p&public != 0 {
			t.Errorf("%s has permission %b: give it roles", method, p)
		}
	}
	for _, method := range again {
		if !registered()[method] {
			t.Errorf("%s may be tried again, but is no unary method", method)
		}
	}
}

// The test above sees only packages that are imported here.
func TestEveryContractIsImportedHere(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../../proto/contactmill/*/v*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("contracts: %v, %v", dirs, err)
	}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		rel := strings.TrimPrefix(filepath.ToSlash(dir), "../../proto/")
		pkg := protoreflect.FullName(strings.ReplaceAll(rel, "/", "."))
		found := false
		protoregistry.GlobalFiles.RangeFilesByPackage(pkg, func(protoreflect.FileDescriptor) bool { found = true; return false })
		if !found {
			t.Errorf("package %s is not imported by this test", pkg)
		}
	}
}

func TestSetsOfRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    Permission
		want []Role
	}{
		"submitters": {submitters, []Role{Submitter, Admin}},
		"admins":     {admins, []Role{Admin}},
		"operators":  {operators, []Role{Operator}},
		"services":   {services, []Role{Service}},
		"public":     {public, nil},
		"none":       {0, nil},
	} {
		var got []Role
		for r := Role(0); r < 8; r++ {
			if c.p.has(r) {
				got = append(got, r)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s has %v, want %v", name, got, c.want)
		}
	}
}
