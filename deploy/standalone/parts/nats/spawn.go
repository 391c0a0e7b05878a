package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

// Part is the name of the child.
const Part = "nats"

// settings go from Spawn to the child, answer comes back.
type (
	settings struct {
		Dir, Password string
		Port          int
	}
	answer struct{ URL string }
)

// Spawn starts the server as a child and returns when it accepts connections. Such a server can be killed and its directory removed.
func Spawn(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("make %s absolute: %w", o.Dir, err)
	}
	password, err := secret(dir)
	if err != nil {
		return nil, err
	}
	var said answer
	process, err := child.Again(ctx, Part, settings{Dir: dir, Password: password, Port: o.Port}, &said, filepath.Join(dir, "nats.log"))
	if err != nil {
		return nil, err
	}
	return &Server{url: said.URL, life: outsider{process}}, nil
}

// Serve is the body of the child.
func Serve(ctx context.Context, raw json.RawMessage, ready func(any) error) error {
	var set settings
	if err := json.Unmarshal(raw, &set); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	s, err := serve(Options{Dir: set.Dir, Port: set.Port}, set.Password, os.Stderr)
	if err != nil {
		return err
	}
	if err := ready(answer{URL: s.URL()}); err != nil {
		return fmt.Errorf("report to parent: %w", err)
	}
	select {
	case <-ctx.Done():
		return s.Stop()
	case <-s.Done():
		return errors.New("the server ended by itself")
	}
}
