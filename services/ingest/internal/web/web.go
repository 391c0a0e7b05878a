// Package web answers the two addresses that stand in mails: a job as JSON and its reports as CSV files.
//
//	GET /jobs/N                    the job, N its number or id
//	GET /jobs/N/reports/OUTCOME    its rows of one outcome, or of "all", as a file; "return-to-sender" is that report
//
// The caller sends "Authorization: Bearer <API key>"; never a key in an address, which ends up in logs and histories. The
// handler is a client of the gRPC methods like any other, with the caller's own key, so that the same checks hold.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/jsonview"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	jobLimit    = 30 * time.Second
	reportLimit = 30 * time.Minute
	// writeLimit is how long a client may take for one piece of a report.
	writeLimit = 30 * time.Second

	csvType  = "text/csv; charset=utf-8; header=present"
	jsonType = "application/json; charset=utf-8"
)

type handler struct {
	jobs ingestv1.JobsServiceClient
	log  *slog.Logger
}

// Handler serves both addresses by calls over conn, which carries no credential of its own.
func Handler(conn grpc.ClientConnInterface, log *slog.Logger) http.Handler {
	h := &handler{jobs: ingestv1.NewJobsServiceClient(conn), log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs/{job}", h.job)
	mux.HandleFunc("GET /jobs/{job}/reports/{outcome}", h.report)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, fault.New(fault.NotFound, "unknown-address", "there is nothing here").Hint("GET /jobs/N or /jobs/N/reports/OUTCOME"))
	})
	return strict(mux)
}

// strict sets what holds for every answer: nothing is cached, framed, sniffed or run.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			write(w, http.StatusMethodNotAllowed, "method-not-allowed", "only GET is answered here", "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) job(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), jobLimit)
	defer cancel()
	ctx, err := credential(ctx, r)
	if err != nil {
		refuse(w, err)
		return
	}
	resp, err := h.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: r.PathValue("job")})
	if err != nil {
		refuse(w, err)
		return
	}
	body, err := jsonview.MarshalIndent(resp.GetJob())
	if err != nil {
		h.log.Error("job not written", "error", err)
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(append(body, '\n')) // the client went away: nobody to tell
}

func (h *handler) report(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reportLimit)
	defer cancel()
	ctx, err := credential(ctx, r)
	if err != nil {
		refuse(w, err)
		return
	}
	name := strings.TrimSuffix(strings.ToUpper(r.PathValue("outcome")), ".CSV")
	asked, ok := reportOf(name)
	if !ok {
		refuse(w, fault.New(fault.NotFound, "unknown-outcome", "there is no such report").
			Hint("all, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed, return-to-sender or plan"))
		return
	}
	job, err := h.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: r.PathValue("job")})
	if err != nil {
		refuse(w, err)
		return
	}
	asked.Job = job.GetJob().GetId()
	stream, err := h.jobs.DownloadReport(ctx, asked)
	if err != nil {
		refuse(w, err)
		return
	}
	// The first piece decides whether there is a report; an error after it can only cut the answer off.
	piece, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", csvType)
	// RFC 6266; made of our own words and a number, so nothing in it needs quoting
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="job-%d-%s.csv"`, job.GetJob().GetNumber(), strings.ToLower(name)))
	if r.Method == http.MethodHead {
		return
	}
	rc := http.NewResponseController(w)
	for err == nil {
		if derr := rc.SetWriteDeadline(time.Now().Add(writeLimit)); derr != nil && !errors.Is(derr, http.ErrNotSupported) {
			return
		}
		if _, werr := w.Write(piece.GetChunk()); werr != nil {
			return // the client went away
		}
		piece, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		h.log.Error("report cut off", "job", job.GetJob().GetId(), "kind", fault.Of(err).String(), "code", fault.Code(err))
		panic(http.ErrAbortHandler) // so that the client does not take a part for the whole
	}
}

// reportOf is the request for a report by its name in an address, the job still missing.
func reportOf(name string) (*ingestv1.DownloadReportRequest, bool) {
	switch name {
	case "ALL":
		return &ingestv1.DownloadReportRequest{}, true
	case "PLAN":
		return &ingestv1.DownloadReportRequest{Report: ingestv1.Report_REPORT_PLAN}, true
	case "RETURN-TO-SENDER":
		return &ingestv1.DownloadReportRequest{Report: ingestv1.Report_REPORT_RETURN_TO_SENDER}, true
	}
	n, ok := ingestv1.Outcome_value["OUTCOME_"+name]
	return &ingestv1.DownloadReportRequest{Outcome: ingestv1.Outcome(n)}, ok && n != 0
}

// credential passes the caller's own on, and nothing else of the request.
func credential(ctx context.Context, r *http.Request) (context.Context, error) {
	sent := r.Header.Values("Authorization")
	if len(sent) != 1 {
		return ctx, fault.New(fault.Unauthenticated, "no-credential", "the credential is missing or not good").
			Hint("send one header \"Authorization: Bearer <API key>\"")
	}
	// gRPC refuses what is not printable with an error of its own; here it is a credential like any that is not good
	if strings.ContainsFunc(sent[0], func(c rune) bool { return c < ' ' || c > '~' }) {
		return ctx, fault.New(fault.Unauthenticated, "no-credential", "the credential is missing or not good").
			Hint("send one header \"Authorization: Bearer <API key>\"")
	}
	return metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", sent[0])), nil
}

// statuses of HTTP for those of gRPC.
var statuses = map[codes.Code]int{
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.FailedPrecondition: http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
	codes.Canceled:           499, // the client closed the request
	codes.Unimplemented:      http.StatusNotImplemented,
}

func refuse(w http.ResponseWriter, err error) {
	st := fault.ToStatus(err)
	status, ok := statuses[st.Code()]
	if !ok {
		status = http.StatusInternalServerError
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="contactmill"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "5")
	}
	write(w, status, fault.Code(err), st.Message(), fault.HintOf(err))
}

func write(w http.ResponseWriter, status int, code, message, hint string) {
	body, err := json.Marshal(struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}{code, message, hint})
	if err != nil { // three strings
		body = []byte(`{"code":"internal","message":"internal error"}`)
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client went away: nobody to tell
}
