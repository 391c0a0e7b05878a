package validator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

const (
	// inspectFor bounds an inspection, however slow the client or odd the file.
	inspectFor = 10 * time.Second
	// inspections at once in a process; each holds its pieces and a block.
	inspections = 16
	// inspectBlock is how much of a text is looked at.
	inspectBlock = 128 << 10
	// usualRows and mostRows are how many rows are shown.
	usualRows = 20
	mostRows  = 200
	// shownBytes bounds what rows may take in the answer.
	shownBytes = 2 << 20
)

// inspector implements the contract's InspectService: it opens, maps and reads the first block of a file as a job would,
// and keeps nothing.
type inspector struct {
	validatorv1.UnimplementedInspectServiceServer
	s        *Service
	accounts accountsv1.AccountsServiceClient
	fields   accountsv1.FieldsServiceClient
	jobs     ingestv1.JobsServiceClient
	slots    chan struct{}
	limit    time.Duration // of one inspection
	readers  sync.WaitGroup
}

func newInspector(s *Service, accounts, ingest grpc.ClientConnInterface) *inspector {
	return &inspector{s: s, accounts: accountsv1.NewAccountsServiceClient(accounts), fields: accountsv1.NewFieldsServiceClient(accounts), jobs: ingestv1.NewJobsServiceClient(ingest),
		slots: make(chan struct{}, inspections), limit: inspectFor}
}

type inspectStream = grpc.BidiStreamingServer[validatorv1.InspectRequest, validatorv1.InspectResponse]

// Inspect implements the contract.
func (i *inspector) Inspect(in inspectStream) error {
	account, err := rpc.AccountOf(in.Context())
	if err != nil {
		return err
	}
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	default:
		return fault.New(fault.Exhausted, "too-many-inspections", "%d files are being inspected at once", inspections).Hint("try again in a moment")
	}
	ctx, cancel := context.WithTimeoutCause(in.Context(), i.limit,
		fault.New(fault.Deadline, "inspect-too-slow", "the file was not inspected within %s", i.limit).Hint("hand it in with --check"))
	defer cancel()
	w := newWishes(ctx, in, i.readers.Done)
	i.readers.Add(1)
	go w.receive()
	out, err := i.answer(ctx, w, account)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	return in.Send(&validatorv1.InspectResponse{Part: &validatorv1.InspectResponse_Inspection{Inspection: out}})
}

func (i *inspector) answer(ctx context.Context, w *wishes, account uuid.UUID) (*validatorv1.Inspection, error) {
	h, err := w.header()
	if err != nil {
		return nil, err
	}
	ctx = rpc.WithAccount(ctx, account)
	known, err := i.known(ctx)
	if err != nil {
		return nil, err
	}
	out, err := i.inspect(ctx, w, h, known)
	if missing := w.err(); missing != nil { // pieces that did not come make a file look broken
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	out.BytesSeen = w.seen()
	return out, nil
}

// known is what an inspection goes by.
type known struct {
	*accountsv1.Account
	schema *contact.Schema
}

func (i *inspector) known(ctx context.Context) (known, error) {
	a, err := i.accounts.GetAccount(ctx, &accountsv1.GetAccountRequest{})
	if err != nil {
		return known{}, fmt.Errorf("ask for the account: %w", err)
	}
	listed, err := i.fields.ListFields(ctx, &accountsv1.ListFieldsRequest{})
	if err != nil && fault.Of(err) != fault.Unimplemented { // by an accounts service from before there were own fields
		return known{}, fmt.Errorf("ask for the account's fields: %w", err)
	}
	schema, err := fields.SchemaOf(listed.GetFields())
	return known{a.GetAccount(), schema}, err
}

// recall asks what was said of files with the same columns, on behalf of who inspects. An ingest service from before there
// was such a question says nothing.
func (i *inspector) recall(ctx context.Context, headingsKey []byte) (*ingestv1.GetMappingResponse, error) {
	r, err := i.jobs.GetMapping(ctx, &ingestv1.GetMappingRequest{HeadingsKey: headingsKey})
	if fault.Of(err) == fault.Unimplemented {
		return &ingestv1.GetMappingResponse{}, nil
	}
	return r, err
}

func (i *inspector) inspect(ctx context.Context, w *wishes, h *validatorv1.InspectHeader, a known) (*validatorv1.Inspection, error) {
	l := sheet.DefaultLimits()
	if h.GetSize() > l.FileBytes {
		return refused(&sheet.Refusal{Code: finding.FileTooLarge, Limit: "file bytes", Value: l.FileBytes})
	}
	l.BlockBytes = inspectBlock
	asked, err := askedOf(h.GetSettings(), fields.Over(a.GetPolicies(), h.GetSettings().GetPolicies()), a.schema)
	if err != nil {
		return nil, err
	}
	asked.drop = cmp.Or(h.GetSettings().GetBadCell(), a.GetBadCell()) == accountsv1.BadCell_BAD_CELL_DROP_CELL
	look := &looking{i: i, a: a, settings: h.GetSettings(), asked: asked, options: i.s.options(ctx, dialect(h.GetSettings().GetReading()), l, a.GetLegacyEncoding()), rows: int(h.GetRows())}
	if look.rows <= 0 {
		look.rows = usualRows
	}
	look.rows = min(look.rows, mostRows)
	out, err := look.at(ctx, w, h.GetSize())
	if again, ok := errors.AsType[*sheet.Reopen](err); ok {
		look.reopen, look.options.Dialect.Encoding = again, again.Encoding
		out, err = look.at(ctx, w, h.GetSize())
	}
	if err != nil {
		return refused(err)
	}
	return out, nil
}

// refused is the answer about a file that would be refused, or asked about.
func refused(err error) (*validatorv1.Inspection, error) {
	r, err := ended(err)
	if err != nil {
		return nil, err
	}
	return &validatorv1.Inspection{File: r.GetFile(), Question: r.GetQuestion(), Rejected: r.GetRejected()}, nil
}

// looking is an inspection at work.
type looking struct {
	i        *inspector
	a        known
	settings *ingestv1.ImportSettings
	options  sheet.Options
	rows     int
	reopen   *sheet.Reopen

	asked
	correction *correction // of a corrected report
}

// corrects finds the job that the file is a report of, if it is of one. Its rows are not looked at.
func (l *looking) corrects(ctx context.Context, headings []string, sample [][]string) (rejected *ingestv1.Problem, err error) {
	number, at := reported(headings, sample, l.settings.GetMapping())
	if number == 0 {
		return nil, nil
	}
	r, err := l.i.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: strconv.FormatInt(number, 10)})
	switch {
	case fault.Of(err) == fault.NotFound:
		return unknownJob(number), nil
	case err != nil:
		return nil, fmt.Errorf("ask for job %d: %w", number, err)
	case !hasReport(r.GetJob()):
		return unknownJob(number), nil
	}
	l.correction = &correction{number: number, job: r.GetJob(), report: at}
	l.asked, err = l.correction.over(l.settings, l.a.schema)
	return nil, err
}

// at looks at the file's head, its first block and no more.
func (l *looking) at(ctx context.Context, w *wishes, size int64) (_ *validatorv1.Inspection, err error) {
	f, err := sheet.OpenAt(w, size, l.options)
	if f != nil {
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if err != nil {
		return nil, chosen(err, f)
	}
	first, next, stop, err := begin(f)
	if err != nil {
		return nil, err
	}
	defer stop()
	sample, err := sampled(f, first)
	if err != nil {
		return nil, err
	}
	rejected, err := l.corrects(ctx, f.Heading, sample)
	if err != nil || rejected != nil {
		return &validatorv1.Inspection{Rejected: rejected}, err
	}
	req := mapping.Request{Headings: l.correction.headings(f.Heading), Schema: l.a.schema, Said: l.said, Remembered: l.remembered, Sample: sample, Keys: l.policies.Keys, Compared: l.policies.Compares()}
	found, before := mapping.Map(req), &ingestv1.GetMappingResponse{}
	if l.correction == nil {
		if found, before, err = mapped(req, func(key []byte) (*ingestv1.GetMappingResponse, error) { return l.i.recall(ctx, key) }); err != nil {
			return nil, err
		}
	}
	columns := columnsOf(found, l.a.schema, values(before.GetValues(), l.values))
	out := &validatorv1.Inspection{}
	if l.correction != nil {
		l.correction.settle(columns)
		out.CorrectsNumber = l.correction.number
	}
	out.File, out.Question, out.Rejected = toFacts(f, columns, found.Warnings), toQuestion(found.Question, columns), toProblem(found.Problem)
	settledBy(out.File, l.reopen, columns)
	if first == nil && !found.HeadingIsData {
		out.Columns = newSurvey(columns).columns(columns, nil)
		return out, nil
	}
	if first == nil {
		first = &sheet.Block{}
	}
	e := make(evidence, len(columns))
	if err := e.gather(columns, f.Parser(), first.Clone()); err != nil {
		return nil, err
	}
	open, _ := e.settle(columns, l.order, before.GetDateOrder())
	if err := l.read(f, found, columns, e, first, out); err != nil {
		return nil, err
	}
	if open >= 0 && out.Question == nil && out.Rejected == nil {
		if _, err, more := next(); !more && err == nil { // that was all of it: nothing else will tell
			out.Question = askDates(&columns[open], open)
		}
	}
	return out, context.Cause(ctx)
}

// read takes the block's rows as a job would, and tells of the first of them and of all columns.
func (l *looking) read(f *sheet.File, found mapping.Result, columns []column, e evidence, b *sheet.Block, out *validatorv1.Inspection) error {
	p := newPlan([16]byte{}, [16]byte{}, l.a.schema, columns)
	p.by = newKeyChoice(l.policies.Keys, l.a.schema)
	p.mode, p.drop = row.Mode(l.mode), l.drop
	if p.correction = l.correction; p.correction != nil {
		p.origins = p.correction.origins(columns)
	}
	p.home, p.today = contact.CountryByCode(l.a.GetCountry()), day(time.Now())
	w := &worker{plan: p, parser: f.Parser(), normaliser: l.i.s.normaliser, tally: newTally(len(columns))}
	survey := newSurvey(columns)
	room := shownBytes
	w.parser.Reset(b)
	r := w.parser.Next
	if found.HeadingIsData {
		first := lead(f)
		r = func() *sheet.Record {
			defer func() { first = nil }()
			if first != nil {
				return first
			}
			return w.parser.Next()
		}
	}
	for rec := r(); rec != nil; rec = r() {
		if rec.Code == "" {
			survey.look(l.i.s.normaliser, p, columns, rec)
		}
		if err := w.take(rec); err != nil {
			return err
		}
		out.RowsSeen++
		if len(out.Rows) < l.rows && room > 0 {
			shown := w.shownRow()
			room -= sizeOf(shown)
			out.Rows = append(out.Rows, shown)
		}
	}
	if err := w.parser.Err(); err != nil {
		return err
	}
	out.Columns = survey.columns(columns, e)
	return nil
}
