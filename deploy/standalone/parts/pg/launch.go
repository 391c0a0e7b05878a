package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

// settings are fit for a machine with two cores that also runs everything else.
func settings() map[string]string {
	return map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "", // one way in, and no path that is too long for a socket
		"max_connections":         "200",
		"shared_buffers":          buffers(memory()),
		"maintenance_work_mem":    "128MB",
		"fsync":                   "on",
		"synchronous_commit":      "on",
		"full_page_writes":        "on",
		"wal_compression":         "lz4", // on, which is pglz, takes a sixth of the time of a large job; see [compression]
		"max_wal_size":            "4GB",
		"checkpoint_timeout":      "15min",
		"random_page_cost":        "1.1",
		"jit":                     "off", // compiling costs more than it saves on queries of this size
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		// A failed statement, its DETAIL and its CONTEXT carry cells of contacts: none of them may reach the log.
		"log_error_verbosity":     "terse",
		"log_min_error_statement": "panic",
	}
}

// memory is how many bytes the machine has; 0 where that cannot be told.
func memory() uint64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// buffers is how much of the machine's memory the server has for pages: a sixteenth, as it is not alone there, and never little or
// very much. The pages of a large job that fit are neither read nor written again and again.
func buffers(memory uint64) string {
	const least, most = 128 << 20, 2 << 30
	return strconv.FormatUint(min(max(memory/16, least), most)>>20, 10) + "MB"
}

// launch starts the server and waits until it answers.
func launch(ctx context.Context, bin binaries, id identity, o *Options, password string) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()

	effective := settings()
	effective["wal_compression"] = compression(ctx, bin, id, o, effective["wal_compression"])
	maps.Copy(effective, o.Settings)
	begun := time.Now()
	for {
		s, said, err := attempt(ctx, bin, id, o, effective, password)
		if err == nil {
			return s, nil
		}
		switch {
		case ctx.Err() != nil:
		case strings.Contains(said, "Address already in use") && o.Port == 0:
			continue // somebody took the port between our look and the server's start; the next one is free
		case inUse(said) && time.Since(begun) < leftBehind:
			if err := pause(ctx, 100*time.Millisecond); err == nil {
				continue
			}
		}
		return nil, fmt.Errorf("start PostgreSQL %s: %w", bin.Version.Text, explain(said, o, err))
	}
}

// compression is best, or on if the server was built without that method. It is asked without being started; whatever else is wrong
// with it, its start will tell.
func compression(ctx context.Context, bin binaries, id identity, o *Options, best string) string {
	if err := command(ctx, bin, id, o.Dir, "postgres", "-D", o.data(), "-c", "wal_compression="+best, "-C", "wal_compression").Run(); err != nil {
		return "on"
	}
	return best
}

// attempt starts the server once. If it fails it returns what the server wrote to its log.
func attempt(ctx context.Context, bin binaries, id identity, o *Options, with map[string]string, password string) (*Server, string, error) {
	port := o.Port
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return nil, "", err
		}
	}
	log, err := child.OpenLog(o.log())
	if err != nil {
		return nil, "", err
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, "", fmt.Errorf("seek in log: %w", err)
	}

	args := []string{"-D", o.data(), "-p", strconv.Itoa(port)}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		args = append(args, "-c", name+"="+with[name])
	}
	cmd := command(context.WithoutCancel(ctx), bin, id, o.Dir, "postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd, syscall.SIGINT)
	if err != nil {
		return nil, "", err
	}

	s := &Server{process: process, version: bin.Version, port: port, url: ownerURL(password, port)}
	if err := s.answer(ctx, o); err != nil {
		// A server in the middle of its recovery has acknowledged nothing new: it may be killed.
		process.Kill()
		return nil, child.ReadLog(o.log(), from), err
	}
	return s, "", nil
}

// answer waits until the server lets the owner in.
func (s *Server) answer(ctx context.Context, o *Options) error {
	// A foreign program on our port may take the connection and keep silent: the end of our server ends the attempt.
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-s.process.Done():
		case <-alive.Done():
		}
	}()

	begun, told := time.Now(), false
	for {
		conn, err := pgx.Connect(alive, s.url)
		if err == nil {
			return conn.Close(ctx)
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "28P01" {
			return fmt.Errorf("the password in %s is not the one of the cluster: put the old file back, or choose another state directory", o.password())
		}
		if !told && time.Since(begun) > time.Second {
			o.progress("waiting for PostgreSQL, which replays its log after a crash")
			told = true
		}
		select {
		case <-s.process.Done():
			if err := s.process.Err(); err != nil {
				return fmt.Errorf("the server ended: %w", err)
			}
			return errors.New("the server was told to end before it was ready")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// inUse reports that the processes of an earlier server are not gone yet.
func inUse(said string) bool {
	return strings.Contains(said, "pre-existing shared memory block") || strings.Contains(said, "postmaster.pid\" already exists")
}

// explain turns what a program of PostgreSQL wrote into one sentence with the way out.
func explain(said string, o *Options, err error) error {
	switch {
	case strings.Contains(said, "No space left on device"):
		return fmt.Errorf("the disk of %s is full: free some space and start again", o.Dir)
	case strings.Contains(said, "Address already in use"):
		return fmt.Errorf("port %d is taken by another program: choose another port, or let the kernel choose (0)", o.Port)
	case inUse(said):
		return fmt.Errorf("another PostgreSQL runs on %s: stop it, or choose another state directory", o.data())
	case strings.Contains(said, "Permission denied"):
		return fmt.Errorf("PostgreSQL may not use %s: choose another state directory (%s)", o.Dir, lastError(said))
	}
	if line := lastError(said); line != "" {
		return fmt.Errorf("%w: %s (all of it is in %s)", err, line, o.log())
	}
	return err
}

// lastError is the last line that names an error, without its time stamp.
func lastError(said string) string {
	lines := strings.Split(said, "\n")
	for _, line := range slices.Backward(lines) {
		for _, mark := range []string{"FATAL:", "PANIC:", "initdb: error:"} {
			if _, text, ok := strings.Cut(line, mark); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	return ""
}

// freePort asks the kernel for a port. PostgreSQL cannot be handed a socket, so the port is free only most probably.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("look for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
