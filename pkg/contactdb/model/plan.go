package model

import (
	"cmp"
	"maps"
	"math"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// Plan is what a job under review would do, and all that it may do once that is approved.
type Plan struct {
	Job     Job
	rows    []Ended
	effects map[int]effect // by contact
}

// effect is what becomes of a contact's fields: what they were and what they are after the whole job.
type effect map[contact.Field][2]Word

// Review says what a job would do, and keeps that as its plan.
func (a *Account) Review(j Job) Result {
	r, effects := a.foresee(j, nil)
	if refused := a.Check(j); refused.Refused != "" {
		return refused
	}
	a.Plans[j.Number] = &Plan{Job: j, rows: r.Rows, effects: effects}
	return r
}

// NoPlan refuses to approve what no plan awaits approval of.
const NoPlan = "no-plan"

// Approve does what a job's plan says. The rows are matched anew; one of which something else would become than was planned
// is held. What a person approved is what becomes of a contact, so the rows that meet there stand and fall together.
func (a *Account) Approve(number int) Result {
	p := a.Plans[number]
	if p == nil {
		return Result{Refused: NoPlan}
	}
	holds := map[int]Ended{}
	now, _ := a.foresee(p.Job, nil)
	for i, e := range now.Rows {
		if planned := p.rows[i]; kind(planned) != kind(e) || planned.Contact != e.Contact && e.Outcome != row.Added {
			holds[i] = planned
		}
	}
	now, effects := a.foresee(p.Job, holds)
	otherwise := map[int]bool{}
	for i, e := range now.Rows {
		if kind(e) == row.Updated && (e.Outcome != p.rows[i].Outcome || !maps.Equal(effects[e.Contact], p.effects[e.Contact])) {
			otherwise[e.Contact] = true
		}
	}
	for i, e := range now.Rows {
		if kind(e) == row.Updated && otherwise[e.Contact] {
			holds[i] = p.rows[i]
		}
	}
	r := a.take(p.Job, holds)
	if r.Refused == "" {
		delete(a.Plans, number)
	}
	return r
}

// kind is what becomes of a row as matching knows it: whether a contact that is found changes is seen only there.
func kind(e Ended) row.Outcome {
	if e.Outcome == row.Unchanged {
		return row.Updated
	}
	return e.Outcome
}

// foresee says what a job would do, whatever the package allows.
func (a *Account) foresee(j Job, holds map[int]Ended) (Result, map[int]effect) {
	after, effects := a.clone(), map[int]effect{}
	after.Package = math.MaxInt
	r := after.apply(a, j, holds)
	for id, ch := range after.Jobs[j.Number].Changed {
		e := effect{}
		for f, step := range ch.Fields {
			e[f] = [2]Word{step.Before.Word, after.Contacts[id].value(f)}
		}
		effects[id] = e
	}
	return r, effects
}

// heldFor is what becomes of a row of which now something else would become than was planned.
func heldFor(planned, now Ended) Ended {
	e := Ended{Outcome: row.Held, Reason: string(finding.PlanChanged), Contact: now.Contact}
	if planned.Outcome != row.Added { // the contact to be made was not
		e.Contact = cmp.Or(e.Contact, planned.Contact)
	}
	return e
}
