package email

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/contactmill/contactmill/pkg/money"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// approval is the notice of a job whose plan waits for a person.
const approval = "approval"

// tellPlan says of a job under review what would become of its rows, and how to go on while it waits.
func tellPlan(f *facts, j *ingestv1.Job) {
	f.Intro = "What would become of its rows"
	f.Counts = table(j.GetPlan(), "")
	if f.Link != "" {
		f.Plan = f.Link + "/reports/plan"
	}
	if j.GetState() != ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL { // somebody was faster than the mail
		return
	}
	f.Remarks = append(f.Remarks, "Nothing was spent or changed so far; other jobs go on meanwhile.")
	for _, command := range []string{"report %d --plan > plan.csv", "approve %d", "reject %d --reason WHY"} {
		f.Commands = append(f.Commands, "contactmill jobs "+fmt.Sprintf(command, j.GetNumber()))
	}
}

// foreseen says what a job would cost.
func foreseen(c *ingestv1.Forecast) (remarks []string) {
	if c.GetToSend() > 0 || c.GetKnownAlready() > 0 {
		to := "the provider"
		if name := line(c.GetProvider(), maxAccount); name != "" {
			to += " " + name
		}
		words := fmt.Sprintf("%s to be sent to %s", humanize.Comma(c.GetToSend()), to)
		if cost := price(c.GetCost()); cost != "" {
			words += ", " + cost
		}
		if c.GetKnownAlready() > 0 {
			words += fmt.Sprintf("; %s known already", humanize.Comma(c.GetKnownAlready()))
		}
		remarks = append(remarks, words+".")
	}
	switch n := c.GetJobsAhead(); {
	case n == 1:
		remarks = append(remarks, "1 job goes before it: what that does is not foreseen.")
	case n > 1:
		remarks = append(remarks, humanize.Comma(n)+" jobs go before it: what they do is not foreseen.")
	}
	return remarks
}

// spent says what a job has cost and what is left to be done.
func spent(j *ingestv1.Job) (remarks []string) {
	if cost := price(j.GetCost()); cost != "" {
		remarks = append(remarks, fmt.Sprintf("%s sent to the provider, which charged %s.", humanize.Comma(j.GetCounts().GetSentToProvider()), cost))
	}
	switch n := j.GetCounts().GetEnrichedLater(); {
	case j.GetState() != ingestv1.JobState_JOB_STATE_COMPLETED && j.GetState() != ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS:
		// nobody was added who could be
	case n == 1:
		remarks = append(remarks, "1 contact is enriched later: the provider did not answer.")
	case n > 1:
		remarks = append(remarks, humanize.Comma(n)+" contacts are enriched later: the provider did not answer.")
	}
	return remarks
}

func price(c *ingestv1.Cost) string {
	return line(money.Text(c.GetMicros(), c.GetCurrency()), maxAccount)
}
