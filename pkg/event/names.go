package event

import (
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	// MaxRings bounds JOBS. A ring is about 150 bytes and only runnable work is rung, so this is far above any real backlog; a full
	// stream refuses and the ledger rings later.
	MaxRings = 1_000_000
	// MaxRingBytes bounds one ring, headers included.
	MaxRingBytes = 4 << 10
	// MaxEvents bounds EVENTS beside its age. The oldest are discarded: watchers read the ledger.
	MaxEvents = 5_000_000
	// MaxEventBytes bounds one event, headers included.
	MaxEventBytes = 256 << 10
	// MaxEventAge is how long EVENTS keeps an event for outside subscribers.
	MaxEventAge = 7 * 24 * time.Hour
	// DuplicateWindow is how long EVENTS recognises an event that the relay sends again.
	DuplicateWindow = 2 * time.Minute
	// DefaultLease is the lease of a stage and so the time after which an unacknowledged ring is delivered again.
	DefaultLease = 30 * time.Second

	maxPrefix = 32
)

// Config says how the streams are named and timed. The zero value is production's.
type Config struct {
	// Prefix comes before each name and subject, so that several systems share one server: "" or 1 to 32 of [a-z0-9].
	Prefix string
	// Lease is the consumers' AckWait; zero means DefaultLease.
	Lease time.Duration
	// Replicas of each stream in a NATS cluster, 1 to 5; zero means 1.
	Replicas int
}

// Checked returns c with its defaults filled in, or an error naming the field that is out of bounds.
func (c Config) Checked() (Config, error) {
	if len(c.Prefix) > maxPrefix || strings.Trim(c.Prefix, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return Config{}, fmt.Errorf("prefix %q is not up to %d of a-z and 0-9", c.Prefix, maxPrefix)
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Lease < 0 {
		return Config{}, fmt.Errorf("lease %s is negative", c.Lease)
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Replicas < 1 || c.Replicas > 5 {
		return Config{}, fmt.Errorf("replicas %d is not 1 to 5", c.Replicas)
	}
	return c, nil
}

// JobsStream is the name of the stream of rings.
func (c Config) JobsStream() string { return c.name("JOBS") }

// EventsStream is the name of the stream of events.
func (c Config) EventsStream() string { return c.name("EVENTS") }

// Consumer is the durable consumer of JOBS that the workers of a stage share.
func (c Config) Consumer(s Stage) string { return c.name(string(s)) }

// JobsSubject is where rings of a stage go.
func (c Config) JobsSubject(s Stage) string { return c.subject("jobs", string(s)) }

// AllJobs matches every subject of JOBS.
func (c Config) AllJobs() string { return c.subject("jobs", "*") }

// EventsSubject is where events of an account go.
func (c Config) EventsSubject(account uuid.UUID) string { return c.subject("events", token(account)) }

// AllEvents matches every subject of EVENTS.
func (c Config) AllEvents() string { return c.subject("events", "*") }

// ProgressSubject is where progress of an account's jobs goes. It belongs to no stream.
func (c Config) ProgressSubject(account uuid.UUID) string {
	return c.subject("progress", token(account))
}

func (c Config) name(s string) string {
	if c.Prefix == "" {
		return s
	}
	return c.Prefix + "_" + s
}

func (c Config) subject(area, last string) string { return c.name(area) + "." + last }

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func token(account uuid.UUID) string { return base32Lower.EncodeToString(account[:]) }
