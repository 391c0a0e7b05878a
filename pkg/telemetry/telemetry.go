// Package telemetry is what a program tells its operators: a log, metrics, and whether it is alive and ready. None of
// them holds contact data: ids, counts, names of methods and stages, kinds of error, and no more.
package telemetry

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Config is how to log.
type Config struct {
	Level  slog.Level `env:"LOG_LEVEL" envDefault:"info"`  // debug, info, warn or error
	Format string     `env:"LOG_FORMAT" envDefault:"json"` // json, or text for a terminal
}

// Telemetry is one service's log and metrics.
type Telemetry struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer // labels every metric with the service, so that services may share a process

	registry *prometheus.Registry
	base     *slog.Logger
	version  string
	w        io.Writer
	calls    *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

// New writes the log to w, as JSON from level info on.
func New(service, version string, w io.Writer) *Telemetry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t := &Telemetry{registry: r, version: version, w: w, base: slog.New(slog.NewJSONHandler(w, nil))}
	return t.For(service)
}

// Configured is the same telemetry with its log as cfg wants it. Call it before anything logs.
func (t *Telemetry) Configured(service string, cfg Config) *Telemetry {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	c := *t
	if cfg.Format == "text" {
		c.base = slog.New(slog.NewTextHandler(t.w, opts))
	} else {
		c.base = slog.New(slog.NewJSONHandler(t.w, opts))
	}
	return c.For(service)
}

// For is the telemetry of another service in the same process: the same log and registry under its own name.
func (t *Telemetry) For(service string) *Telemetry {
	c := *t
	c.Log = t.base.With("service", service, "version", t.version)
	c.Metrics = prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, t.registry)
	c.calls = Register(c.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "contactmill_rpc_total", Help: "Calls answered, by method and status code.",
	}, []string{"method", "code"}))
	c.latency = Register(c.Metrics, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "contactmill_rpc_seconds", Help: "Time from a call's arrival to its answer; of a stream, to its end.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120, 600},
	}, []string{"method", "code"}))
	return &c
}

// Register registers a collector, or returns the equal one that is registered already.
func Register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if err := r.Register(c); err != nil {
		if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
			if same, ok := there.ExistingCollector.(C); ok {
				return same
			}
		}
		panic(err) // two metrics of one name with other labels: our bug
	}
	return c
}

// Call counts one answered call. code is that of gRPC; method must be a registered one, never what a caller made up.
func (t *Telemetry) Call(method, code string, took time.Duration) {
	t.calls.WithLabelValues(method, code).Inc()
	t.latency.WithLabelValues(method, code).Observe(took.Seconds())
}

// Handler serves /metrics, /livez (the process answers) and /readyz (ready returns nil). It is for operators: never
// expose it.
func (t *Telemetry) Handler(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, "not ready: "+fault.ToStatus(err).Message(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	return mux
}

// Err is how an error is logged: its text, and what decides about it.
func Err(err error) slog.Attr {
	return slog.GroupAttrs("", slog.String("error", err.Error()), slog.String("kind", fault.Of(err).String()), slog.String("code", fault.Code(err)))
}
