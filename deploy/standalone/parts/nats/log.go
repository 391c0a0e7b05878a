package nats

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// log is the server's logger. It keeps the first fatal message, because the server's own loggers end the process on one.
type log struct {
	to *slog.Logger

	mu    sync.Mutex
	first string
}

func newLog(w io.Writer) *log { return &log{to: slog.New(slog.NewTextHandler(w, nil))} }

// fatal is why the server could not start, or nil.
func (l *log) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		return nil
	}
	return errors.New(l.first)
}

func (l *log) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	message := fmt.Sprintf(format, args...)
	if l.first == "" {
		l.first = message
	}
	l.to.Error(message)
}

func (l *log) Noticef(format string, args ...any) { l.to.Info(fmt.Sprintf(format, args...)) }
func (l *log) Warnf(format string, args ...any)   { l.to.Warn(fmt.Sprintf(format, args...)) }
func (l *log) Errorf(format string, args ...any)  { l.to.Error(fmt.Sprintf(format, args...)) }
func (l *log) Debugf(string, ...any)              {}
func (l *log) Tracef(string, ...any)              {}
