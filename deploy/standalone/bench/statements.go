package bench

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// slow is from when on PostgreSQL tells how long a statement took; shorter ones are the small change of the ledger.
	slow = 50 * time.Millisecond

	// mostStatements are listed of each job.
	mostStatements = 10

	// mostText of a statement is shown: what it says of itself, or how it begins.
	mostText = 90
)

// statements are those that PostgreSQL was slow at, as its log says.
type statements struct {
	log   string
	read  int64
	owner string
}

// watchStatements has the server tell how long statements take, from now on, until ended. Values are not told.
func watchStatements(ctx context.Context, o options, owner string) (*statements, error) {
	s := &statements{log: filepath.Join(o.state, "platform", "postgres", "postgres.log"), owner: owner}
	if _, err := os.Stat(s.log); err != nil {
		return nil, fmt.Errorf("time statements: the server's log is not there: %w", err)
	}
	err := s.set(ctx, fmt.Sprintf("alter system set log_min_duration_statement = %d", slow.Milliseconds()), "alter system set log_parameter_max_length = 0")
	if err != nil {
		return nil, err
	}
	_, err = s.took()
	return s, err
}

func (s *statements) end(ctx context.Context) error {
	return s.set(ctx, "alter system reset log_min_duration_statement", "alter system reset log_parameter_max_length")
}

func (s *statements) set(ctx context.Context, settings ...string) error {
	conn, err := pgx.Connect(ctx, s.owner)
	if err != nil {
		return fmt.Errorf("time statements: %w", err)
	}
	defer conn.Close(ctx)
	for _, sql := range append(settings, "select pg_reload_conf()") {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("time statements: %w", err)
		}
	}
	return nil
}

// timed is a line of the log about a statement; what follows its first line begins with a tab.
var timed = regexp.MustCompile(`LOG:  duration: ([0-9.]+) ms  (?:parse|bind|execute|statement)(?: [^:]*)?: (.*)`)

type statementTime struct {
	text string
	took time.Duration
	runs int
}

// took is what the log has new, the longest first. Statements that are executed in several goes count as one.
func (s *statements) took() ([]statementTime, error) {
	f, err := os.Open(s.log)
	if err != nil {
		return nil, fmt.Errorf("time statements: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(s.read, io.SeekStart); err != nil {
		return nil, fmt.Errorf("time statements: %w", err)
	}
	all := map[string]*statementTime{}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // a line that is not whole yet is read the next time
			break
		}
		s.read += int64(len(line))
		m := timed.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			continue
		}
		text := strings.TrimPrefix(m[2], "-- ")
		if len(text) > mostText {
			text = strings.ToValidUTF8(text[:mostText], "") + "..."
		}
		if all[text] == nil {
			all[text] = &statementTime{text: text}
		}
		all[text].took += time.Duration(ms * float64(time.Millisecond))
		all[text].runs++
	}
	var out []statementTime
	for _, t := range all {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b statementTime) int { return cmp.Compare(b.took, a.took) })
	return out[:min(len(out), mostStatements)], nil
}
