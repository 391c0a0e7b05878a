package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// provider is a provider of enrichment that costs money, keeps count of what it was paid, and misbehaves on command. It is
// started again when it ends.
type provider struct {
	dir, key   string
	grpc, http string
	mu         sync.Mutex
	pid        int
}

const (
	price = 1000 // what it takes for a subject, in millionths of EUR
	batch = 60   // the most that it is asked about at once, so that jobs ask several times
)

func startProvider(t *testing.T) *provider {
	t.Helper()
	free := freeAddresses(t, 2)
	p := &provider{dir: t.TempDir(), key: "key-of-the-test", grpc: free[0], http: free[1]}
	program := filepath.Join(bin(t), "testprovider")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the provider for tests is not built: %v: run make bin/testprovider", err)
	}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-gone
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the provider said:\n%s", said[max(0, len(said)-2000):])
		}
	})
	go func() {
		defer close(gone)
		for ctx.Err() == nil {
			cmd := exec.Command(program, "--state", p.dir, "--grpc", p.grpc, "--http", p.http, "--key", p.key, "--price", strconv.Itoa(price), "--max-batch", strconv.Itoa(batch))
			cmd.Stdout, cmd.Stderr = log, log
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				fmt.Fprintln(log, err)
				return
			}
			p.mu.Lock()
			p.pid = cmd.Process.Pid
			p.mu.Unlock()
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				fmt.Fprintln(log, "ended:", err)
			case <-ctx.Done():
				_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
				<-ended
			}
		}
	}()
	p.answers(t)
	return p
}

// answers waits until it answers.
func (p *provider) answers(t *testing.T) {
	t.Helper()
	await(t, func() (bool, string) {
		r, err := http.Get("http://" + p.http + "/paid")
		if err == nil {
			r.Body.Close()
		}
		return err == nil, fmt.Sprint("the provider does not answer: ", err)
	})
}

// kill ends it; it comes again.
func (p *provider) kill(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	pid := p.pid
	p.mu.Unlock()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		t.Errorf("kill the provider: %v", err)
	}
	await(t, func() (bool, string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.pid != pid, "the provider was not started again"
	})
	p.answers(t)
}

// behaviour is how it answers batches from now on.
type behaviour struct {
	Mode    string `json:"mode"`
	Phones  string `json:"phones,omitempty"` // only batches with a phone that begins so
	DelayMS int    `json:"delay_ms,omitempty"`
	Times   int    `json:"times,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (p *provider) behave(t *testing.T, b behaviour) {
	t.Helper()
	body, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() (bool, string) { // it may just have been killed
		r, err := http.Post("http://"+p.http+"/behave", "application/json", bytes.NewReader(body))
		if err != nil {
			return false, err.Error()
		}
		defer r.Body.Close()
		said, _ := io.ReadAll(r.Body) // for people
		if r.StatusCode/100 != 2 {
			t.Fatalf("behave %s: %s: %s", body, r.Status, said)
		}
		return true, ""
	})
}

// paid is what it charged, by its own books.
type paid struct {
	Batches        int   `json:"batches"`
	Subjects       int   `json:"subjects"`
	CostMicros     int64 `json:"cost_micros"`
	Calls          int   `json:"calls"`
	Repeated       int   `json:"repeated"`
	ValuesRepeated int   `json:"values_repeated"`

	PerBatch map[string]struct {
		Subjects   int   `json:"subjects"`
		CostMicros int64 `json:"cost_micros"`
	} `json:"per_batch"`
}

func (p *provider) paid(t *testing.T) (all paid) {
	t.Helper()
	await(t, func() (bool, string) {
		r, err := http.Get("http://" + p.http + "/paid")
		if err != nil {
			return false, err.Error()
		}
		defer r.Body.Close()
		err = json.NewDecoder(r.Body).Decode(&all)
		return err == nil, fmt.Sprint("read what was paid: ", err)
	})
	return all
}

// asks makes a topology ask this provider. It is not waited for long.
func (p *provider) asks(o topology) topology {
	o.env = append(o.env, "CONTACTMILL_PROVIDER_ADDR="+p.grpc, "CONTACTMILL_PROVIDER_KEY="+p.key, "CONTACTMILL_PROVIDER_TIMEOUT=2s", "CONTACTMILL_PROVIDER_BACKOFF=200ms")
	return o
}

// booked is a batch in the platform's ledger.
type booked struct {
	BatchID    string `db:"batch_id"`
	Subjects   int    `db:"subjects"`
	CostMicros *int64 `db:"cost_micros"` // nil while it is not answered
	Failed     *string
}

// settled waits until no batch is open, and compares what the provider was paid by its own books with the ledger. Since begun
// nobody was paid for twice; before, several accounts may have asked about the same people.
func (p *provider) settled(t *testing.T, s *target, begun paid) paid {
	t.Helper()
	var ledger []booked
	awaitFor(t, 2*patience, func() (bool, string) {
		ledger = rows[booked](t, s, "select batch_id, subjects, cost_micros, failed from enrichment.batches")
		for _, b := range ledger {
			if b.CostMicros == nil && b.Failed == nil {
				return false, fmt.Sprintf("batch %s is open", b.BatchID)
			}
		}
		return true, ""
	})
	books := p.paid(t)
	seen := 0
	for _, b := range ledger {
		took, charged := books.PerBatch[b.BatchID]
		switch {
		case b.Failed != nil && !charged:
			continue
		case !charged:
			t.Errorf("batch %s of %d subjects is answered in the ledger, and the provider was never paid for it", b.BatchID, b.Subjects)
		case b.CostMicros == nil || took.CostMicros != *b.CostMicros || took.Subjects != b.Subjects:
			t.Errorf("batch %s is %+v in the ledger, the provider took %+v", b.BatchID, b, took)
		}
		seen++
	}
	if seen != books.Batches {
		t.Errorf("the provider was paid for %d batches, %d of them are in the ledger", books.Batches, seen)
	}
	if n := books.ValuesRepeated - begun.ValuesRepeated; n != 0 {
		t.Errorf("%d phones and emails were paid for twice", n)
	}
	return books
}

// prefix is how the phones of the people in a block of 10,000 begin, the block's number first.
func prefix(block int) string { return fmt.Sprintf("+1202%03d", 220+block) }

// waits until a stage of the job was given back, so that the job waits.
func waits(t *testing.T, s *target, job string) (code string) {
	t.Helper()
	type given struct {
		Waits int
		Code  string
	}
	await(t, func() (bool, string) {
		all := rows[given](t, s, "select waits, code from ingest.stages where job_id = $1 and stage = 'enrich'", job)
		if len(all) == 0 || all[0].Waits == 0 {
			return false, fmt.Sprintf("the job does not wait for its provider: %+v", all)
		}
		code = all[0].Code
		return true, ""
	})
	return code
}

func marks(c contact) map[string]string {
	found := map[string]string{}
	for _, f := range c.Facts {
		if f.Name == "mark" {
			found[f.About] = strings.ToLower(f.Value)
		}
	}
	return found
}
