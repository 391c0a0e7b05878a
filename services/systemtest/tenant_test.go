package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// tenant is an account of a test's own, with a key of its admin.
type tenant struct {
	s         *target
	name, key string
	id        string
	email     string // where its admin gets mail
	recipient string
}

// made makes names of accounts different.
var made atomic.Int64

// tenant makes an account; size is its package.
func (s *target) tenant(t *testing.T, size int) *tenant {
	t.Helper()
	name := fmt.Sprintf("t%d-%s", made.Add(1), strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ".", "-").Replace(t.Name())))
	if len(name) > 40 {
		name = strings.TrimRight(name[:40], "-")
	}
	a := &tenant{s: s, name: name, recipient: name + "@example.com", email: "admin." + name + "@example.com"}
	operator := &tenant{s: s, key: s.operator}
	var account struct{ ID string }
	operator.ok(t, &account, "accounts", "create", name, "--package", strconv.Itoa(size), "--recipient", a.recipient)
	a.id = account.ID
	var key struct{ Secret string }
	operator.ok(t, &key, "keys", "create", "--account", name, "--role", "admin", "--name", "test", "--email", a.email)
	a.key = key.Secret
	return a
}

// run is what a command did.
type run struct {
	code     int
	out, err string
}

func (r run) String() string { return fmt.Sprintf("exit code %d\n%s%s", r.code, r.out, r.err) }

// command runs the command line.
func (a *tenant) command(t *testing.T, args ...string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return a.commandIn(t, ctx, args...)
}

func (a *tenant) commandIn(t *testing.T, ctx context.Context, args ...string) run {
	t.Helper()
	cmd := exec.CommandContext(ctx, a.s.bin+"/contactmill", args...)
	cmd.Env = append(append(foreign(), a.s.client...), "CONTACTMILL_API_KEY="+a.key)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("contactmill %s: %v", strings.Join(args, " "), err)
	}
	return run{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// ok runs a command that must end well and reads its JSON.
func (a *tenant) ok(t *testing.T, into any, args ...string) {
	t.Helper()
	a.ends(t, 0, into, args...)
}

// ends runs a command that must end with the exit code and reads its JSON.
func (a *tenant) ends(t *testing.T, code int, into any, args ...string) {
	t.Helper()
	r := a.command(t, append(args, "-o", "json")...)
	if r.code != code {
		t.Fatalf("contactmill %s: want exit code %d, got %v", strings.Join(args, " "), code, r)
	}
	reflect.ValueOf(into).Elem().SetZero() // a map would keep what it has
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		t.Fatalf("contactmill %s: %v in %v", strings.Join(args, " "), err, r)
	}
}

// counts is what became of a job's rows.
type counts struct {
	Rows       int `json:"rows"`
	Added      int `json:"added"`
	Updated    int `json:"updated"`
	Unchanged  int `json:"unchanged"`
	Duplicate  int `json:"duplicate"`
	Unmatched  int `json:"unmatched"`
	Invalid    int `json:"invalid"`
	Conflict   int `json:"conflict"`
	Held       int `json:"held"`
	Suppressed int `json:"suppressed"`
	Blank      int `json:"blank"`
	Sent       int `json:"sent_to_provider"`
	Known      int `json:"known_to_provider"`

	EnrichedLater int `json:"enriched_later"`
}

// rows is the counts without what the provider has to do with it.
func (c counts) rows() counts { c.Sent, c.Known, c.EnrichedLater = 0, 0, 0; return c }

type cost struct {
	Micros   int    `json:"micros"`
	Currency string `json:"currency"`
}

type forecast struct {
	ToSend       int `json:"to_send"`
	KnownAlready int `json:"known_already"`
	Cost         cost
	JobsAhead    int `json:"jobs_ahead"`
}

// problem is why a job was rejected, failed, or asks.
type problem struct{ Code, Message, Hint string }

// job is a job as the command line writes it.
type job struct {
	ID        string   `json:"id"`
	Number    int64    `json:"number"`
	State     string   `json:"state"`
	Counts    counts   `json:"counts"`
	Problem   *problem `json:"problem"`
	Question  *problem `json:"question"`
	SHA256    string   `json:"file_sha256"`
	RetryOf   string   `json:"retry_of"`
	RequestID string   `json:"request_id"`

	Corrects       string `json:"corrects"`
	CorrectsNumber int64  `json:"corrects_number"`

	Cost     cost      `json:"cost"`
	Forecast *forecast `json:"forecast"`

	LastEvent int64 `json:"last_event"`
	Queue     *struct {
		Ahead int `json:"ahead"`
	} `json:"queue"`
	Columns []struct {
		Heading, Field string
		Filled         int
	} `json:"columns"`
}

func final(state string) bool {
	switch state {
	case "COMPLETED", "COMPLETED_WITH_REJECTS", "CHECKED", "REJECTED", "FAILED", "CANCELLED":
		return true
	}
	return false
}

// imports hands a file in, waits for its end, and wants the exit code.
func (a *tenant) imports(t *testing.T, code int, file, mode string, flags ...string) job {
	t.Helper()
	var j job
	a.ends(t, code, &j, append([]string{"import", file, "--mode", mode, "--wait"}, flags...)...)
	return j
}

// hands a file in and does not wait.
func (a *tenant) hands(t *testing.T, file, mode string, flags ...string) job {
	t.Helper()
	var j job
	a.ok(t, &j, append([]string{"import", file, "--mode", mode}, flags...)...)
	return j
}

// get reads a job.
func (a *tenant) get(t *testing.T, id string) job {
	t.Helper()
	var j job
	a.ok(t, &j, "jobs", "get", id)
	return j
}

// ended waits until a job is final.
func (a *tenant) ended(t *testing.T, id string) job {
	t.Helper()
	var j job
	await(t, func() (bool, string) {
		j = a.get(t, id)
		return final(j.State), fmt.Sprintf("job %d is %s", j.Number, j.State)
	})
	return j
}

// held is how many contacts the account has.
func (a *tenant) held(t *testing.T, filter ...string) int {
	t.Helper()
	var n struct{ Count int }
	a.ok(t, &n, append([]string{"contacts", "list", "--count"}, filter...)...)
	return n.Count
}

// contact is a contact as the command line writes it.
type contact struct {
	ID     string
	Values map[string]string
	Lists  []string
	Facts  []struct{ About, Name, Value string }
}

// all contacts of the account.
func (a *tenant) all(t *testing.T, filter ...string) []contact {
	t.Helper()
	var all []contact
	a.ok(t, &all, append([]string{"contacts", "list", "--all"}, filter...)...)
	return all
}

// report is the rows of an outcome; "" for all.
func (a *tenant) report(t *testing.T, j job, outcome string) [][]string {
	t.Helper()
	args := []string{"jobs", "report", j.ID}
	if outcome != "" {
		args = append(args, "--outcome", outcome)
	}
	r := a.command(t, args...)
	if r.code != 0 {
		t.Fatalf("report of job %d: %v", j.Number, r)
	}
	return records(t, []byte(r.out))
}
