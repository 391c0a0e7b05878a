package cli_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

func TestACorrectedReportNeedsNoMode(t *testing.T) {
	t.Parallel()
	name, content := fileOf(t, 300)
	for title, c := range map[string]struct {
		found *validatorv1.Inspection
		flags []string
		code  int
		mode  ingestv1.Mode // that it is handed in with, if it is
		err   string
	}{
		"a report":             {found: &validatorv1.Inspection{CorrectsNumber: 3}},
		"a report, and a mode": {found: &validatorv1.Inspection{CorrectsNumber: 3}, flags: []string{"--mode", "add"}, mode: ingestv1.Mode_MODE_ADD},
		"a report of nobody": {found: &validatorv1.Inspection{Rejected: &ingestv1.Problem{Code: "correction-unknown", Message: "No.", Hint: "Take the column away."}}, code: 1,
			err: "leads.csv would be refused: correction-unknown: No.\n  Take the column away.\n"},
		"another file":                {found: &validatorv1.Inspection{}, code: 2, err: "--mode is needed"},
		"another file, and a mode":    {found: &validatorv1.Inspection{}, flags: []string{"--mode", "update"}, mode: ingestv1.Mode_MODE_UPDATE},
		"nobody who could look at it": {code: 1, err: "ended the inspection"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.inspection = c.found
			s.wishes = []*validatorv1.Wish{{Offset: 0, Length: 1 << 20}}
			r := s.run(t, "", append([]string{"import", name, "--sheet", "Blatt 1", "--ignore", "x"}, c.flags...)...)
			if r.code != c.code || c.err == "" && r.err != "" || !strings.Contains(r.err, c.err) {
				t.Errorf("%+v, want code %d and %q", r, c.code, c.err)
			}
			if handed := s.header != nil; handed != (c.code == 0) {
				t.Fatalf("handed in: %v", handed)
			}
			if c.code == 0 && (s.header.Settings.Mode != c.mode || string(s.file) != string(content)) {
				t.Errorf("handed in as %v, want %v", s.header.Settings.Mode, c.mode)
			}
			if asked := s.inspected != nil; asked != (len(c.flags) == 0) {
				t.Errorf("looked at: %v", asked)
			}
			if s.inspected != nil && (s.inspected.Settings.GetReading().GetSheet() != "Blatt 1" || s.inspected.Settings.Mapping["x"] != "-") {
				t.Errorf("looked at as %v", s.inspected)
			}
		})
	}
}

// Where nobody can inspect files, a mode has to be said.
func TestWithoutAnInspectorAModeIsNeeded(t *testing.T) {
	t.Parallel()
	name, _ := fileOf(t, 300)
	s := newServer(t)
	s.cannot = fault.New(fault.Unimplemented, "", "unknown service contactmill.validator.v1.InspectService")
	if r := s.run(t, "", "import", name); r.code != 2 || !strings.Contains(r.err, "--mode is needed") || s.header != nil {
		t.Errorf("%+v", r)
	}
}
