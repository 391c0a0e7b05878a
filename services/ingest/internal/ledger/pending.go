package ledger

import (
	"context"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

var errPending = fault.New(fault.Unimplemented, "pending", "not there yet")

func (l *Ledger) accept(context.Context, uuid.UUID, Submission) (Job, bool, error) {
	return Job{}, false, errPending
}
func (l *Ledger) job(context.Context, uuid.UUID, Ref) (Job, error) { return Job{}, errPending }
func (l *Ledger) jobByRequest(context.Context, uuid.UUID, string) (Job, error) {
	return Job{}, errPending
}
func (l *Ledger) jobs(context.Context, uuid.UUID, Page) ([]Job, error) { return nil, errPending }
func (l *Ledger) results(context.Context, uuid.UUID, uuid.UUID) (Results, error) {
	return Results{}, errPending
}
func (l *Ledger) cancel(context.Context, uuid.UUID, Ref) (Job, error) { return Job{}, errPending }
func (l *Ledger) retry(context.Context, uuid.UUID, Ref, Resubmission) (Job, bool, error) {
	return Job{}, false, errPending
}
func (l *Ledger) answer(context.Context, uuid.UUID, Ref, Answer) (Job, error) {
	return Job{}, errPending
}
func (l *Ledger) events(context.Context, uuid.UUID, uuid.UUID, int64, int) ([]Event, error) {
	return nil, errPending
}
func (l *Ledger) startInstance(context.Context, Life) (int, error) { return 0, errPending }
func (l *Ledger) claim(context.Context, uuid.UUID, uuid.UUID, event.Stage, Life) (Grant, error) {
	return Grant{}, errPending
}
func (l *Ledger) renew(context.Context, uuid.UUID, Claim, int64, int64) (Renewal, error) {
	return Renewal{}, errPending
}
func (l *Ledger) finish(context.Context, uuid.UUID, Claim, Result) (event.Stage, error) {
	return "", errPending
}
func (l *Ledger) release(context.Context, uuid.UUID, Claim, Return) (bool, error) {
	return false, errPending
}
func (l *Ledger) leaveToCommit(context.Context, uuid.UUID, Claim) error { return errPending }
func (l *Ledger) openUpload(context.Context, uuid.UUID, Upload, time.Duration) (Upload, error) {
	return Upload{}, errPending
}
func (l *Ledger) resumeUpload(context.Context, uuid.UUID, uuid.UUID, time.Duration) (Upload, error) {
	return Upload{}, errPending
}
func (l *Ledger) setMultipart(context.Context, uuid.UUID, Upload, string) error { return errPending }
func (l *Ledger) savePart(context.Context, uuid.UUID, Upload, Part, []byte, time.Duration) (Upload, error) {
	return Upload{}, errPending
}
func (l *Ledger) findUpload(context.Context, uuid.UUID, string) (Upload, error) {
	return Upload{}, errPending
}
func (l *Ledger) abandonUpload(context.Context, uuid.UUID, uuid.UUID) error { return errPending }
func (l *Ledger) expiredUploads(context.Context, int) ([]ExpiredUpload, error) {
	return nil, errPending
}
func (l *Ledger) forgetUpload(context.Context, uuid.UUID, uuid.UUID) error { return errPending }
func (l *Ledger) dueFiles(context.Context, time.Duration, int) ([]DueFile, error) {
	return nil, errPending
}
func (l *Ledger) fileSwept(context.Context, uuid.UUID, uuid.UUID) error { return errPending }
func (l *Ledger) dueWork(context.Context, time.Duration, int) ([]DueWork, error) {
	return nil, errPending
}
func (l *Ledger) workSwept(context.Context, uuid.UUID, uuid.UUID) error { return errPending }
func (l *Ledger) known(context.Context, uuid.UUID, []uuid.UUID, []uuid.UUID) (map[uuid.UUID]bool, map[uuid.UUID]bool, error) {
	return nil, nil, errPending
}
func (r *Relay) run(context.Context) error       { return errPending }
func (r *Reconciler) run(context.Context) error  { return errPending }
func (r *Reconciler) once(context.Context) error { return errPending }
