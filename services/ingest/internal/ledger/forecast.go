package ledger

import (
	"context"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// Cost is money.
type Cost struct {
	Micros   int64  `json:"micros"`             // millionths of the currency
	Currency string `json:"currency,omitempty"` // ISO 4217; empty where nothing costs anything
}

// Forecast is what a job would cost.
type Forecast struct {
	ToSend       int64  `json:"to_send"`
	KnownAlready int64  `json:"known_already"`
	Cost         *Cost  `json:"cost,omitempty"` // nil while the provider's price is not known
	JobsAhead    int64  `json:"jobs_ahead"`
	Provider     string `json:"provider,omitempty"`
}

// Forecast makes a check of another job's file, as that one was asked, under what the account has settled by now. The other
// job may be in any state and goes its way; an undo is Precondition "not-forecastable", a job whose file was swept
// Precondition "file-swept". A request id works as for Accept.
func (l *Ledger) Forecast(ctx context.Context, account uuid.UUID, ref Ref, r Resubmission) (job Job, existing bool, err error) {
	return l.resubmit(ctx, account, ref, r, func(o *jobRow) (jobRow, error) {
		switch {
		case o.Kind != Import:
			return jobRow{}, fault.New(fault.Precondition, "not-forecastable", "job %d takes back another job: it has no file and costs nothing", o.Number).
				Hint("look at it with a preview of the undo")
		case o.FileKept != kept:
			return jobRow{}, fileSwept(o)
		}
		j := jobRow{
			Kind: Import, Settings: o.Settings,
			FileName: o.FileName, FileObject: o.FileObject, FileSize: o.FileSize, FileSHA256: o.FileSHA256, Upload: o.Upload,
			Confirmed: o.Confirmed && o.ApprovedBy == nil, ForecastOf: &o.ID, ForecastOfNumber: &o.Number,
		}
		j.Settings.Check, j.Settings.Review = true, false
		return j, nil
	}, func(old, of *jobRow) bool {
		return old.RetryOf == nil && old.ForecastOf != nil && *old.ForecastOf == of.ID
	})
}

func fileSwept(j *jobRow) error {
	return fault.New(fault.Precondition, "file-swept", "the file of job %d was removed by age", j.Number).Hint("upload the file again")
}
