package blob

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"

	"github.com/contactmill/contactmill/pkg/fault"
)

const codeRange = "blob-range"

// limits bound each try and how often it is tried.
type limits struct {
	call     time.Duration // a question and its answer
	part     time.Duration // a part of PartSize on its way, 85 KB/s at the slowest
	complete time.Duration // the server puts parts together
	idle     time.Duration // a read without a byte
	tries    uint
	wait     time.Duration // before the second try, doubled up to waitMost
	waitMost time.Duration
}

func defaultLimits() limits {
	return limits{
		call: 15 * time.Second, part: time.Minute, complete: 5 * time.Minute, idle: 15 * time.Second,
		tries: 8, wait: 50 * time.Millisecond, waitMost: 3 * time.Second, // about ten seconds in all: a restart of the server
	}
}

func (l limits) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = l.wait, l.waitMost, 2
	b.Reset()
	return b
}

// do tries call until it succeeds, fails for good, or was tried often enough. Each try gets its own deadline. The error is a fault.
func (s *Store) do(ctx context.Context, limit time.Duration, what string, call func(context.Context) error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := call(tctx)
		if err != nil && !retryable(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(s.limits.backoff()), backoff.WithMaxTries(s.limits.tries), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return nil
	}
	return toFault(ctx, err, what)
}

// retryable tells whether the same call may succeed soon. An answer that never came counts: all calls are idempotent.
func retryable(err error) bool {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return fault.Of(f).Transient()
	}
	r, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return true // no answer: refused, cut, timed out, or unreadable
	}
	switch r.Code {
	case "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted", "Throttling", "SlowDown":
		return true // damaged on the way, or somebody else is at it
	}
	return r.StatusCode >= 500 && r.StatusCode != http.StatusNotImplemented && r.StatusCode != http.StatusInsufficientStorage ||
		r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout || r.StatusCode == 0
}

// toFault gives an error of the client library its kind.
func toFault(ctx context.Context, err error, what string) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Wrap(fault.Cancelled, "cancelled", err, "%s", what)
	case ctx.Err() != nil:
		return fault.Wrap(fault.Deadline, "deadline", err, "%s", what)
	}
	r, _ := errors.AsType[minio.ErrorResponse](err)
	switch r.Code {
	case minio.NoSuchKey:
		return fault.Wrap(fault.NotFound, "blob-not-found", err, "%s: no such object", what)
	case minio.NoSuchUpload:
		return fault.Wrap(fault.NotFound, "blob-upload-not-found", err, "%s: no such upload", what)
	case minio.NoSuchBucket:
		return fault.Wrap(fault.Unavailable, "blob-bucket-missing", err, "%s: no such bucket", what)
	case minio.PreconditionFailed:
		return fault.Wrap(fault.DataLoss, "blob-changed", err, "%s: the object was replaced meanwhile", what)
	case minio.InvalidRange:
		return fault.Wrap(fault.Invalid, codeRange, err, "%s: offset behind the end", what)
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "EntityTooLarge":
		return fault.Wrap(fault.Invalid, "blob-parts", err, "%s: parts do not fit", what)
	case "QuotaExceeded", "XMinioStorageFull":
		return fault.Wrap(fault.Exhausted, "blob-full", err, "%s: storage is full", what)
	}
	switch r.StatusCode {
	case http.StatusNotFound:
		return fault.Wrap(fault.NotFound, "blob-not-found", err, "%s: not found", what)
	case http.StatusInsufficientStorage:
		return fault.Wrap(fault.Exhausted, "blob-full", err, "%s: storage is full", what)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Wrap(fault.Unavailable, "blob-denied", err, "%s: storage refuses our credentials", what).
			Hint("check the access key, its secret and what it may do")
	case http.StatusBadRequest:
		return fault.Wrap(fault.Internal, "blob-refused", err, "%s: storage refuses the request", what)
	}
	return fault.Wrap(fault.Unavailable, "blob-unavailable", err, "%s: storage does not answer as it should", what)
}
