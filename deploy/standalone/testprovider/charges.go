package testprovider

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// charge is one batch that was paid: a line of the file.
type charge struct {
	Batch    string `json:"batch"`
	Digest   []byte `json:"digest"` // of its subjects
	Subjects int    `json:"subjects"`
	Cost     int64  `json:"cost_micros"`
	Values   []byte `json:"values"` // 8 bytes of the hash of each phone and email asked about
}

// charges is what was paid. It survives the program.
type charges struct {
	mu       sync.Mutex
	file     *os.File
	of       map[string]*charge
	values   map[[8]byte]int // in how many batches it was paid
	calls    map[string]int  // how often a batch was asked since the start
	all      int
	repeated int
}

// errOther is the answer to a batch id that was used for other subjects.
var errOther = errors.New("the batch id was used for other subjects")

func openCharges(dir string) (*charges, error) {
	f, err := os.OpenFile(filepath.Join(dir, "charges.jsonl"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open charges: %w", err)
	}
	c := &charges{file: f, of: map[string]*charge{}, values: map[[8]byte]int{}, calls: map[string]int{}}
	if err := c.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("read charges: %w", err), f.Close())
	}
	return c, nil
}

// read takes up what was charged. A line that the program was killed in was answered to nobody, and goes.
func (c *charges) read() error {
	r := bufio.NewReader(c.file)
	var good int64
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		one := &charge{}
		if err := json.Unmarshal(line, one); err != nil {
			return fmt.Errorf("after %d bytes: %w", good, err)
		}
		c.note(one)
		good += int64(len(line))
	}
	if err := c.file.Truncate(good); err != nil {
		return err
	}
	_, err := c.file.Seek(good, io.SeekStart)
	return err
}

func (c *charges) note(one *charge) {
	c.of[one.Batch] = one
	for at := 0; at+8 <= len(one.Values); at += 8 {
		c.values[[8]byte(one.Values[at:])]++
	}
}

// asked counts a batch that came, whatever is answered.
func (c *charges) asked(batch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	c.calls[batch]++
	if c.of[batch] != nil {
		c.repeated++
	}
}

// known returns what was charged for a batch; nil if nothing yet.
func (c *charges) known(q *providerv1.EnrichRequest) (*charge, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.same(q, digest(q))
}

func (c *charges) same(q *providerv1.EnrichRequest, sum []byte) (*charge, error) {
	one := c.of[q.BatchId]
	if one != nil && !bytes.Equal(one.Digest, sum) {
		return nil, errOther
	}
	return one, nil
}

// pay charges a batch, once. It is on the disk when pay returns.
func (c *charges) pay(q *providerv1.EnrichRequest, price int64) (*charge, error) {
	sum := digest(q)
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, err := c.same(q, sum); one != nil || err != nil {
		return one, err
	}
	one := &charge{Batch: q.BatchId, Digest: sum, Subjects: len(q.Subjects), Cost: price * int64(len(q.Subjects)), Values: values(q)}
	line, err := json.Marshal(one)
	if err != nil {
		return nil, err
	}
	if _, err := c.file.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("write charge: %w", err)
	}
	if err := c.file.Sync(); err != nil {
		return nil, fmt.Errorf("write charge: %w", err)
	}
	c.note(one)
	return one, nil
}

// Paid is what was paid so far; calls are counted since the start of the program.
type Paid struct {
	Batches        int                  `json:"batches"`
	Subjects       int                  `json:"subjects"`
	CostMicros     int64                `json:"cost_micros"`
	Calls          int                  `json:"calls"`           // batches that came
	Repeated       int                  `json:"repeated"`        // of these, batches that had been paid
	ValuesRepeated int                  `json:"values_repeated"` // phones and emails that were paid in more than one batch
	PerBatch       map[string]PaidBatch `json:"per_batch"`
}

// PaidBatch is one batch of them.
type PaidBatch struct {
	Subjects   int   `json:"subjects"`
	CostMicros int64 `json:"cost_micros"`
	Calls      int   `json:"calls"`
}

func (c *charges) paid() Paid {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := Paid{Batches: len(c.of), Calls: c.all, Repeated: c.repeated, PerBatch: map[string]PaidBatch{}}
	for id, one := range c.of {
		p.Subjects += one.Subjects
		p.CostMicros += one.Cost
		p.PerBatch[id] = PaidBatch{one.Subjects, one.Cost, c.calls[id]}
	}
	for _, n := range c.values {
		if n > 1 {
			p.ValuesRepeated++
		}
	}
	return p
}

func (c *charges) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.file.Close() // every charge was synced
}

func digest(q *providerv1.EnrichRequest) []byte {
	h := sha256.New()
	put := func(s string) { // length first, so that no two batches read alike
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		io.WriteString(h, s)
	}
	for _, s := range q.Subjects {
		put(s.Phone)
		put(s.Email)
	}
	return h.Sum(nil)
}

func values(q *providerv1.EnrichRequest) []byte {
	var all []byte
	for _, s := range q.Subjects {
		for _, v := range []string{s.Phone, s.Email} {
			if v != "" {
				sum := sha256.Sum256([]byte(v))
				all = append(all, sum[:8]...)
			}
		}
	}
	return all
}
