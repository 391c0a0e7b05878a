package ledger

import (
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// What parks a stage. Only what a job itself caused is charged.
const (
	maxFaults        = 8  // faults of its own
	maxLeasesLost    = 3  // leases lost while the instance lived on
	maxInstancesLost = 10 // losses of the whole instance in a row
)

const (
	maxFaultBackoff = 5 * time.Minute
	maxWait         = 30 * time.Second // for an unavailable dependency, so that work goes on soon after it is back
)

// hold finds the stage that a claim holds. A lease that ended revives if nobody took the stage since; else the claim is
// Stale, and so is every one of a superseded life. If the late caller's instance was thought lost, it is now known to live: the loss is charged as one of the
// lease, and that is kept although the caller is refused.
func (c *change) hold(k Claim) (*stageRow, error) {
	for _, s := range c.stages {
		if s.Stage != k.Stage {
			continue
		}
		switch {
		case s.has(k.Token) && s.State == claimed:
			c.life = s.life()
			return s, nil
		case s.has(k.Token) && s.State == runnable:
			c.life = s.life()
			s.State = claimed
			s.NotBefore = nil
			s.forgetLoss(k.Token)
			s.dirty = true
			return s, nil
		case s.open() && s.LostToken != nil && *s.LostToken == k.Token:
			s.settle(true)
			s.dirty = true
			c.refusal = stale(k)
			if s.spent() {
				return nil, c.park(s, "lease-lost", describe(s.Stage, "its lease was lost", s.LeasesLost))
			}
			return nil, nil
		}
	}
	return nil, stale(k)
}

func stale(k Claim) error {
	return fault.New(fault.Stale, "stale", "token %d holds stage %s of job %s no more", k.Token, k.Stage, k.Job)
}

// grant gives a runnable stage to a life under the fresh token.
func (c *change) grant(s *stageRow, life Life) {
	s.State = claimed
	s.Token = &c.token
	s.Instance, s.Incarnation = &life.Instance, &life.Incarnation
	s.NotBefore = nil
	s.Done, s.Total, s.Rate, s.ProgressAt = 0, 0, 0, nil
	c.extend(s)
}

func (c *change) extend(s *stageRow) {
	until := c.at.Add(c.ledger.cfg.Lease)
	s.LeaseUntil = &until
	s.dirty = true
}

// ended reports whether the lease of a claimed stage is over.
func (c *change) ended(s *stageRow) bool {
	return s.State == claimed && s.LeaseUntil != nil && s.LeaseUntil.Before(c.at)
}

// endLease makes a claimed stage runnable again and charges the loss. Whether the instance lived on shows by a sign of
// life after the lease's end. If there is none yet the loss counts as one of the instance until one comes, at the latest
// when the next claim of the stage ends.
func (c *change) endLease(s *stageRow) error {
	s.settle(after(s.LoserSeen, s.LostAt))
	s.State = runnable
	s.Rung, s.NotBefore = nil, nil
	s.dirty = true
	if after(s.HolderSeen, s.LeaseUntil) {
		s.LeasesLost++
		s.InstancesLost = 0
	} else {
		s.LostToken, s.LostInstance, s.LostIncarnation, s.LostAt = s.Token, s.Instance, s.Incarnation, s.LeaseUntil
		s.LoserSeen = s.HolderSeen
	}
	return c.parkSpent(s)
}

// loseInstance is endLease for a life that is known to be over: its token never revives.
func (c *change) loseInstance(s *stageRow) error {
	s.settle(after(s.LoserSeen, s.LostAt))
	s.State = runnable
	s.Rung, s.NotBefore, s.Token = nil, nil, nil
	s.InstancesLost++
	s.dirty = true
	return c.parkSpent(s)
}

func (c *change) parkSpent(s *stageRow) error {
	switch {
	case !s.spent():
		return nil
	case s.LeasesLost >= maxLeasesLost:
		return c.park(s, "lease-lost", describe(s.Stage, "its lease was lost", s.LeasesLost))
	}
	return c.park(s, "instance-lost", describe(s.Stage, "the worker was lost", maxInstancesLost))
}

// giveBack returns a stage that its holder cannot finish.
func (c *change) giveBack(s *stageRow, r Return) (parked bool, err error) {
	s.settle(after(s.LoserSeen, s.LostAt))
	s.State = runnable
	s.Rung, s.Token = nil, nil
	s.InstancesLost = 0
	s.Code, s.Message = r.Code, r.Message
	s.dirty = true
	asked := min(r.RetryAfter, maxFaultBackoff)
	switch r.Reason {
	case Drain:
		s.Waits = 0
		s.NotBefore = nil
	case Unavailable:
		s.Waits++
		s.NotBefore = later(c.at, max(asked, doubled(time.Second, s.Waits-1, maxWait)))
	case Fault:
		s.Waits = 0
		s.Faults++
		s.NotBefore = later(c.at, max(asked, doubled(c.ledger.cfg.FaultBackoff, s.Faults-1, maxFaultBackoff)))
	default:
		return false, fault.New(fault.Invalid, "unknown-reason", "no such reason to give a stage back")
	}
	if r.Reason != Fault || !s.spent() {
		return false, nil
	}
	code, message := r.Code, r.Message
	if code == "" {
		code = "fault"
	}
	if message == "" {
		message = describe(s.Stage, "it failed", s.Faults)
	}
	if err := c.park(s, code, message); err != nil {
		return false, err
	}
	return s.State == dropped, nil
}

// park gives up on a stage. Its job is FAILED, unless it may have been applied: COMMITTING is left only by the contact
// database's answer. A notice that cannot be sent changes nothing about its job.
func (c *change) park(s *stageRow, code, message string) error {
	if c.job.State == Committing && s.Stage == event.Merge && code != CodeNotApplied {
		return nil
	}
	c.parked = append(c.parked, code)
	s.Code, s.Message = code, message
	if s.Stage == event.Notify {
		s.State = dropped
		s.Ended = &c.at
		s.dirty = true
		return nil
	}
	return c.end(Failed, &Problem{Code: code, Message: message, Hint: "nothing was changed; retry the job, and if it fails again tell the operator its number"})
}

// spent reports whether a stage has used up what it may be charged.
func (s *stageRow) spent() bool {
	instances := s.InstancesLost
	if s.LostToken != nil {
		instances++
	}
	return s.Faults >= maxFaults || s.LeasesLost >= maxLeasesLost || instances >= maxInstancesLost
}

// settle decides on a loss that was left open.
func (s *stageRow) settle(lived bool) {
	if s.LostToken == nil {
		return
	}
	if lived {
		s.LeasesLost++
		s.InstancesLost = 0
	} else {
		s.InstancesLost++
	}
	s.forgetLoss(*s.LostToken)
}

// forgetLoss clears a loss of that token that was left open.
func (s *stageRow) forgetLoss(token int64) {
	if s.LostToken != nil && *s.LostToken == token {
		s.LostToken, s.LostInstance, s.LostIncarnation, s.LostAt, s.LoserSeen = nil, nil, nil, nil, nil
	}
}

// note takes over how far the work is; the rate is that of the last two seconds or so, smoothed.
func (c *change) note(s *stageRow, done, total int64) {
	since := s.ProgressAt
	if since == nil && s.LeaseUntil != nil { // the first one counts from the claim
		t := s.LeaseUntil.Add(-c.ledger.cfg.Lease)
		since = &t
	}
	if elapsed := c.at.Sub(*since).Seconds(); elapsed > 0.01 {
		rate := float64(max(0, done-s.Done)) / elapsed
		if s.ProgressAt != nil {
			rate = 0.5*rate + 0.5*s.Rate
		}
		s.Rate = rate
	}
	s.Done, s.Total, s.ProgressAt = max(0, done), max(0, total), &c.at
	s.dirty = true
}

func after(seen, moment *time.Time) bool {
	return seen != nil && moment != nil && seen.After(*moment)
}

// doubled is base doubled n times, at most limit.
func doubled(base time.Duration, n int, limit time.Duration) time.Duration {
	d := base
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
