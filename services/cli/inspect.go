package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

const (
	// mostWish is the largest piece of a file that the server may ask for.
	mostWish = 1 << 20

	// inspectPatience is how long an inspection may take; the server gives itself less.
	inspectPatience = time.Minute
)

func (p *program) inspect() *cobra.Command {
	var mode string
	var rows int32
	var says said
	c := &cobra.Command{Use: "inspect FILE", Short: "Tell what a file is and how it would be read, without handing it in",
		Long: "Tell what a file is and how it would be read, without handing it in: its format and charset, its columns and the fields they\n" +
			"are for, and the first rows as they are understood. It takes a few pieces of the file, however large that is.\n\n" +
			"Exit codes: 0 it would be read, 1 it would be refused, 5 the job would ask something.",
		Args: args(cobra.ExactArgs(1))}
	f := c.Flags()
	f.StringVar(&mode, "mode", "upsert", "how it would be imported: add, update or upsert")
	f.Int32Var(&rows, "rows", 20, "how many rows to show, 200 at most")
	says.flags(f)
	c.RunE = func(c *cobra.Command, a []string) error {
		if rows < 1 || rows > 200 {
			return usage{fmt.Errorf("--rows %d: say 1 to 200", rows)}
		}
		if a[0] == "-" {
			return usage{errors.New("standard input cannot be inspected: it is read in pieces, and not from its beginning to its end; say a FILE")}
		}
		s := &ingestv1.ImportSettings{}
		var err error
		if s.Mode, err = importMode(mode); err != nil {
			return err
		}
		if err := says.read(); err != nil {
			return err
		}
		says.settings(s)
		file, err := open(a[0], "only a file can be inspected")
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("read %s: %w", a[0], err)
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		p.server = client.inspector
		h := &validatorv1.InspectHeader{FileName: filepath.Base(a[0]), Size: info.Size(), Settings: s, Rows: rows}
		found, err := inspectPatiently(c.Context(), client.inspect, file, h)
		if errors.Is(err, fault.Unimplemented) && fault.HintOf(err) == "" {
			return fault.Wrap(fault.Unimplemented, "cannot-inspect", err, "the server at %s cannot inspect files", client.inspector).
				Hint("CONTACTMILL_VALIDATOR_ADDR says where the validator is, if it is not behind CONTACTMILL_ADDR")
		}
		if err != nil {
			return err
		}
		switch {
		case found.Rejected != nil:
			p.exit = exitError
		case found.Question != nil:
			p.exit = exitWaits
		}
		return p.one(found, func() { p.inspection(h, found) })
	}
	return c
}

// inspectPatiently asks again for a while when the server is busy with other files.
func inspectPatiently(ctx context.Context, c validatorv1.InspectServiceClient, file *os.File, h *validatorv1.InspectHeader) (*validatorv1.Inspection, error) {
	for since, wait := time.Now(), 100*time.Millisecond; ; wait *= 2 {
		found, err := inspect(ctx, c, file, h)
		if !errors.Is(err, fault.Exhausted) || time.Since(since) > firstPatience {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// inspect hands the server the pieces it asks for until it can tell.
func inspect(ctx context.Context, c validatorv1.InspectServiceClient, file *os.File, h *validatorv1.InspectHeader) (*validatorv1.Inspection, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectPatience)
	defer cancel()
	stream, err := c.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	// what goes wrong with sending is told by what is received
	err = stream.Send(&validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Header{Header: h}})
	for err == nil || errors.Is(err, io.EOF) {
		m, rerr := stream.Recv()
		if errors.Is(rerr, io.EOF) {
			return nil, fault.New(fault.Unavailable, "inspect-ended", "the server ended the inspection without an answer")
		}
		if rerr != nil {
			return nil, rerr
		}
		if found := m.GetInspection(); found != nil {
			return found, nil
		}
		wish := m.GetWish()
		if wish == nil {
			return nil, fault.New(fault.Unimplemented, "unknown-answer", "the server answers in a way that this version of the program does not know").
				Hint("use the version of the program that belongs to the server")
		}
		data, rerr := piece(file, h, wish)
		if rerr != nil {
			return nil, rerr
		}
		err = stream.Send(&validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Piece{Piece: &validatorv1.Piece{Offset: wish.Offset, Data: data}}})
	}
	return nil, err
}

// piece is what is asked for, shorter only at the end of the file. Nothing outside the file is given.
func piece(file *os.File, h *validatorv1.InspectHeader, wish *validatorv1.Wish) ([]byte, error) {
	if wish.Offset < 0 || wish.Offset >= h.Size || wish.Length < 1 || wish.Length > mostWish {
		return nil, fault.New(fault.Invalid, "bad-wish", "the server asks for %d bytes at %d of a file of %d bytes: refused", wish.Length, wish.Offset, h.Size)
	}
	data := make([]byte, min(int64(wish.Length), h.Size-wish.Offset))
	n, err := file.ReadAt(data, wish.Offset)
	switch {
	case n == len(data):
		return data, nil
	case errors.Is(err, io.EOF):
		return nil, fault.New(fault.Aborted, "file-changed", "%s became shorter while it was read", h.FileName).Hint("try again when nobody writes to it")
	}
	return nil, fmt.Errorf("read %s: %w", h.FileName, err)
}
