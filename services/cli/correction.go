package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

// needsNoMode is nil for a report that was corrected: it goes by its job's mode. Any other file needs one.
func (p *program) needsNoMode(ctx context.Context, c *client, name string, s *ingestv1.ImportSettings) error {
	file, err := open(name, "- reads standard input")
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	asked := &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, Reading: s.Reading, Mapping: s.Mapping} // the mode is not looked at, but has to be one
	uploads := p.server
	p.server = c.inspector
	h := &validatorv1.InspectHeader{FileName: filepath.Base(name), Size: info.Size(), Settings: asked, Rows: 1}
	found, err := inspectPatiently(ctx, c.inspect, file, h)
	switch {
	case ctx.Err() != nil:
		return interrupted{"stopped before the file was handed in", ""}
	case err != nil && !errors.Is(err, fault.Unimplemented): // without an inspector nobody can tell
		return err
	case found.GetRejected() != nil: // whatever the mode
		r := found.Rejected
		return fault.New(fault.Invalid, r.Code, "%s would be refused: %s: %s", h.FileName, r.Code, r.Message).Hint("%s", r.Hint)
	case found.GetCorrectsNumber() == 0:
		return usage{errModeNeeded}
	}
	p.server = uploads
	return nil
}
