// Package bench measures the platform by ratios within one run: the whole way of a file, from the first byte sent to the
// contacts being visible, against a COPY of the same rows by the same PostgreSQL under the same settings. Everything is
// durable, over gRPC, with the bundled provider.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/contactmill/contactmill/deploy/standalone/people"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// options is what to measure.
type options struct {
	people.Options
	state string
	small int    // jobs of 100 rows
	large bool   // also files of the published limits
	bin   string // of the services' programs; empty: all in this process
	cpu   string
}

// Main runs the measurements and returns the exit code.
func Main(ctx context.Context, args []string, out, errs io.Writer) int {
	o := options{Options: people.Options{Seed: 1, Rows: 1_000_000, Duplicates: .02, Invalid: .01, Messy: .3}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&o.Rows, "rows", o.Rows, "rows of the large file")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "the same seed makes the same file")
	flags.Float64Var(&o.Duplicates, "duplicates", o.Duplicates, "share of rows that repeat an earlier one")
	flags.Float64Var(&o.Invalid, "invalid", o.Invalid, "share of rows with a bad cell")
	flags.Float64Var(&o.Messy, "messy", o.Messy, "share of phones not in E.164")
	flags.IntVar(&o.small, "small", 100, "jobs of 100 rows")
	flags.BoolVar(&o.large, "large", false, "also 100,000 rows into an account of 5,000,000 contacts, and the memory that a CSV file of 2 GB and a workbook of 1,000,000 rows take")
	flags.StringVar(&o.state, "state", "", "directory to work in; a temporary one if not given")
	flags.StringVar(&o.bin, "bin", "bin", "directory of the services' programs")
	one := flags.Bool("one", false, "run all services in this process")
	flags.StringVar(&o.cpu, "cpuprofile", "", "with -one, file for a CPU profile while the large files run")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *one {
		o.bin = ""
	}
	if err := measure(ctx, o, out, errs); err != nil {
		fmt.Fprintln(errs, "bench:", err)
		return 1
	}
	return 0
}

func measure(ctx context.Context, o options, out, errs io.Writer) error {
	if o.state == "" {
		dir, err := os.MkdirTemp("", "contactmill-bench-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
		o.state = dir
	}
	log, err := os.Create(filepath.Join(o.state, "bench.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	file := filepath.Join(o.state, "large.csv")
	made, err := write(file, o.Options)
	if err != nil {
		return err
	}
	fmt.Fprintf(errs, "%d rows: %d people, %d repeats, %d bad\n", made.Rows, made.Good, made.Duplicates, made.Invalid)
	ref, err := prepare(file, filepath.Join(o.state, "reference.copy"), filepath.Join(o.state, "update.csv"))
	if err != nil {
		return err
	}
	if err := reading(o, file, out, errs); err != nil {
		return err
	}
	runtime.GC()

	p, err := start(ctx, o, log)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.run(run, func() { close(started) }) }()
	select {
	case <-started:
		err = all(ctx, o, p, ref, file, made, out, errs)
	case err = <-ended:
		stop()
		return err
	}
	stop()
	if e := <-ended; err == nil {
		err = e
	}
	return err
}

// all runs every measurement on the running platform.
func all(ctx context.Context, o options, p *platform, ref *reference, file string, made people.Counts, out, errs io.Writer) error {
	c, err := dial(p.client.Addr, p.client.Key)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	owner := p.settings.OwnerURL()
	fmt.Fprintln(errs, "reference COPY")
	before, err := ref.run(ctx, owner)
	if err != nil {
		return err
	}
	profile, err := startProfile(o.cpu)
	if err != nil {
		return err
	}
	sql, err := watchStatements(ctx, o, owner)
	if err != nil {
		return err
	}
	c.sql = sql
	idle := p.memory()
	fmt.Fprintln(errs, "new rows")
	fresh, err := c.file(ctx, file, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT})
	if err != nil {
		return err
	}
	if n := fresh.job.Counts.Added; int(n) != made.Good {
		return fmt.Errorf("%d added, the file has %d people", n, made.Good)
	}
	fmt.Fprintln(errs, "the same file again")
	again, err := c.file(ctx, file, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT})
	if err != nil {
		return err
	}
	if n := again.job.Counts.Unchanged; int(n) != made.Good {
		return fmt.Errorf("%d unchanged, the file has %d people", n, made.Good)
	}
	fmt.Fprintln(errs, "an update of two fields")
	changed, err := c.file(ctx, filepath.Join(o.state, "update.csv"), &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPDATE})
	if err != nil {
		return err
	}
	if n := changed.job.Counts.Updated; int(n) != made.Good {
		return fmt.Errorf("%d updated, the file has %d people", n, made.Good)
	}
	most := p.memory()
	profile()
	fmt.Fprintln(errs, "reference COPY")
	after, err := ref.run(ctx, owner)
	if err != nil {
		return err
	}
	copied := (before + after) / 2

	fmt.Fprintf(out, "reference COPY of %d rows: %.2f s (%.2f before, %.2f after)\n", ref.rows, copied.Seconds(), before.Seconds(), after.Seconds())
	show(out, "new rows", fresh, copied)
	show(out, "the same file again", again, copied)
	show(out, "an update of two fields", changed, copied)
	for i, m := range most {
		fmt.Fprintf(out, "memory of %s: %d MiB idle, %d MiB at most\n", m.process, idle[i].now>>20, m.most>>20)
	}
	if err := small(ctx, o, c, out, errs); err != nil {
		return err
	}
	if err := undo(ctx, c, []*run{changed, fresh}, copied, out, errs); err != nil {
		return err
	}
	c.sql = nil
	if err := sql.end(ctx); err != nil {
		return err
	}
	if err := deep(ctx, o, p, out, errs); err != nil {
		return err
	}
	return large(ctx, o, p, c, file, out, errs)
}

// undo takes jobs back, the newest first, each against the time that the job took.
func undo(ctx context.Context, c *client, jobs []*run, copied time.Duration, out, errs io.Writer) error {
	for _, j := range jobs {
		fmt.Fprintf(errs, "undo of job %d\n", j.job.Number)
		r, err := c.undo(ctx, j.job)
		if err != nil {
			return err
		}
		was, is := j.job.Counts, r.job.Counts
		if is.Updated != was.Added+was.Updated || is.Removed != was.Added {
			return fmt.Errorf("job %d added %d and updated %d; its undo took back %d and removed %d", j.job.Number, was.Added, was.Updated, is.Updated, is.Removed)
		}
		show(out, fmt.Sprintf("undo of job %d", j.job.Number), r, copied)
		fmt.Fprintf(out, "  %.2f x the job\n", r.whole.Seconds()/j.whole.Seconds())
	}
	return nil
}

// large checks files of the sizes that are let in, and looks at the memory of the service that reads them.
func large(ctx context.Context, o options, p *platform, c *client, file string, out, errs io.Writer) error {
	if !o.large {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		what  string
		write func(name string) error
	}{
		{"a CSV file of 2 GB", func(name string) error { return writeWide(name, content) }},
		{"a workbook of 1,000,000 rows", func(name string) error { return writeWorkbook(name, content, 1_000_000) }},
	} {
		fmt.Fprintln(errs, f.what)
		name := filepath.Join(o.state, "limits")
		if err := f.write(name); err != nil {
			return err
		}
		runtime.GC()
		r, err := c.file(ctx, name, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, Check: true})
		if err != nil {
			return err
		}
		show(out, f.what+", checked", r, 0)
		for _, m := range p.memory() {
			if strings.HasPrefix(m.process, "validator") || p.pids == "" {
				fmt.Fprintf(out, "memory of %s: %d MiB now, %d MiB at most\n", m.process, m.now>>20, m.most>>20)
			}
		}
	}
	return nil
}

// writeWide writes the file's rows again and again, with a long last cell, until there are 2 GB.
func writeWide(name string, content []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	heading, rows, _ := bytes.Cut(content, []byte("\n"))
	w.Write(heading)
	w.WriteString(",Remark\n")
	remark := bytes.Repeat([]byte("long "), 60)
	for written := 0; written < 2_000_000_000; {
		for line := range bytes.Lines(rows) {
			w.Write(bytes.TrimRight(line, "\n"))
			w.WriteByte(',')
			w.Write(remark)
			w.WriteByte('\n')
			if written += len(line) + 301; written >= 2_000_000_000 {
				break
			}
		}
	}
	return w.Flush()
}

func show(out io.Writer, what string, r *run, copied time.Duration) {
	rows := r.job.Counts.Rows
	ratio := ""
	if copied > 0 {
		ratio = fmt.Sprintf(" = %.2f x COPY", r.whole.Seconds()/copied.Seconds())
	}
	fmt.Fprintf(out, "%s: %.2f s%s, %.0f rows/s\n  upload %.2f s", what, r.whole.Seconds(), ratio, float64(rows)/r.whole.Seconds(), r.upload.Seconds())
	for _, s := range r.stages {
		fmt.Fprintf(out, " · %s %.2f", strings.TrimPrefix(s.name, "job."), s.took.Seconds())
	}
	fmt.Fprintln(out)
	for _, t := range r.statements {
		times := ""
		if t.runs > 1 {
			times = fmt.Sprintf(" in %d runs", t.runs)
		}
		fmt.Fprintf(out, "    %6.2f s%s  %s\n", t.took.Seconds(), times, t.text)
	}
}

// small measures jobs of 100 rows one after the other, in the account that the large files have filled.
func small(ctx context.Context, o options, c *client, out, errs io.Writer) error {
	if o.small < 1 {
		return nil
	}
	fmt.Fprintf(errs, "%d jobs of 100 rows\n", o.small)
	var took []time.Duration
	for i := range o.small {
		var b bytes.Buffer
		if _, err := people.Write(&b, people.Options{Seed: o.Seed, Rows: 100, Messy: o.Messy, First: o.Rows + 100*i}); err != nil {
			return err
		}
		r, err := c.job(ctx, &b, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT})
		if err != nil {
			return err
		}
		if r.job.Counts.Added != 100 {
			return fmt.Errorf("a small job added %d", r.job.Counts.Added)
		}
		took = append(took, r.whole)
		if i == o.small-1 {
			show(out, "the last of them", r, r.whole)
		}
	}
	slices.Sort(took)
	fmt.Fprintf(out, "100 rows, upload to completed: p50 %.0f ms, p99 %.0f ms\n", took[len(took)/2].Seconds()*1e3, took[len(took)*99/100].Seconds()*1e3)
	return nil
}

func write(name string, o people.Options) (people.Counts, error) {
	f, err := os.Create(name)
	if err != nil {
		return people.Counts{}, err
	}
	c, err := people.Write(f, o)
	if e := f.Close(); err == nil {
		err = e
	}
	return c, err
}
