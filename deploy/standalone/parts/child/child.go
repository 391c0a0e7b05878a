// Package child runs parts of the platform as processes of their own that never outlive their parent.
//
// A child is either a foreign program (PostgreSQL) or the running program itself, executed again with [Mark] as its first
// argument. A re-executed child reads its settings as one JSON value from standard input, so that no secret shows in a list of
// processes, writes one JSON value to standard output when it is ready, and logs to standard error.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Mark is the first argument of a re-executed child; the second is the name of the part.
const Mark = "contactmill-part"

// markEnv is set for every re-executed child. Its only use is to stop a main that forgot to call [Main] from executing itself for ever.
const markEnv = "CONTACTMILL_PART"

// readyWithin bounds the time between the start of a re-executed child and its word that it is ready.
const readyWithin = 30 * time.Second

// Part is the body of a re-executed child. It runs until ctx ends, calls ready once with what its parent must know
// (an address, say), and returns an error only when it cannot go on.
type Part func(ctx context.Context, settings json.RawMessage, ready func(any) error) error

// Main runs the part that the arguments ask for and ends the process with its exit code. In a process that is not a child it
// returns at once. A main calls it before anything else.
func Main(parts map[string]Part) {
	if len(os.Args) != 3 || os.Args[1] != Mark {
		return
	}
	name := os.Args[2]
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: this program has no such part\n", name)
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := serve(ctx, part)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(ctx context.Context, part Part) error {
	settings, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	// The library behind a part may print to standard output: only the ready line may go there.
	out := os.Stdout
	os.Stdout = os.Stderr
	ready := func(v any) error {
		defer out.Close()
		return json.NewEncoder(out).Encode(v)
	}
	return part(ctx, settings, ready)
}

// Again executes the running program as its part name with the given settings, and decodes into answer what the child says
// when it is ready. The child's log is appended to the file logName; no second child runs on the same directory at a time.
//
// When the child ends before it is ready the error carries the last line of its log.
func Again(ctx context.Context, name string, settings, answer any, logName string) (*Process, error) {
	if os.Getenv(markEnv) != "" {
		return nil, fmt.Errorf("start %s: this process is a part itself: its main has to call parts.Child first", name)
	}
	body, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("encode settings of %s: %w", name, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the running program: %w", err)
	}
	log, err := OpenLog(logName)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("seek in %s: %w", logName, err)
	}
	lock, err := lockFor(ctx, filepath.Dir(logName), name)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	said, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe for %s: %w", name, err)
	}
	defer said.Close()

	cmd := exec.Command(self, Mark, name)
	cmd.Dir = filepath.Dir(logName)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), foreign), markEnv+"="+name)
	cmd.Stdin = strings.NewReader(string(body))
	cmd.Stdout, cmd.Stderr = out, log
	cmd.ExtraFiles = []*os.File{lock} // the child holds the lock for as long as it lives
	p, err := Start(cmd, syscall.SIGTERM)
	out.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}

	heard := make(chan error, 1)
	go func() { heard <- json.NewDecoder(said).Decode(answer) }()
	timer := time.NewTimer(readyWithin)
	defer timer.Stop()
	select {
	case err = <-heard:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("not ready within %v", readyWithin)
	}
	if err == nil {
		return p, nil
	}
	p.Kill()
	if last := lastLine(logName, from); last != "" && errors.Is(err, io.EOF) {
		err = errors.New(last)
	}
	return nil, fmt.Errorf("start %s: %w", name, err)
}

// foreign reports settings of the platform, which a part must not inherit.
func foreign(env string) bool { return strings.HasPrefix(env, "CONTACTMILL_") }
