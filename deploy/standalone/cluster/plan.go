package cluster

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/deploy/standalone"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/accounts"
	"github.com/contactmill/contactmill/services/contacts"
	"github.com/contactmill/contactmill/services/email"
	"github.com/contactmill/contactmill/services/enrichment"
	"github.com/contactmill/contactmill/services/ingest"
	"github.com/contactmill/contactmill/services/merge"
	"github.com/contactmill/contactmill/services/validator"
)

// server is what a process that serves gRPC is told on top of its service's config.
type server struct {
	Addr       string        `env:"GRPC_ADDR"`
	ServiceKey config.Secret `env:"SERVICE_KEY"`
	Reflection bool          `env:"REFLECTION"`
	TLS        rpc.TLS
}

type web struct {
	Addr string `env:"HTTP_ADDR"`
}

// service is a program of which processes are made. knows is what its settings are: a process refuses others.
type service struct {
	name         string
	worker       bool
	serves, site bool
	knows        []any
}

func services() []service {
	return []service{
		{name: "accounts", serves: true, knows: []any{accounts.Config{}, server{}}},
		{name: "ingest", serves: true, site: true, knows: []any{ingest.Config{}, server{}, web{}}},
		{name: "contacts", serves: true, knows: []any{contacts.Config{}, server{}}},
		{name: "provider", serves: true, knows: []any{server{}}},
		{name: "validator", worker: true, serves: true, knows: []any{validator.Config{}, server{}}},
		{name: "enrichment", worker: true, serves: true, knows: []any{enrichment.Config{}, server{}}},
		{name: "merge", worker: true, knows: []any{merge.Config{}}},
		{name: "email", worker: true, knows: []any{email.Config{}}},
	}
}

// process is one process of a service.
type process struct {
	name   string // service and replica: merge-1
	binary string
	worker bool
	env    []string
	admin  string // address of its operators' page
}

// plan decides on the processes, their addresses and their settings. The addresses stay for as long as the cluster runs.
func (c *Cluster) plan(settings *standalone.Settings, ports *ports) (standalone.Addresses, error) {
	defer ports.close() // the processes listen there from now on
	type listener struct{ grpc, http, admin string }
	listeners := map[string]listener{}
	behind := map[string][]string{} // service: the addresses of its replicas
	at := standalone.Addresses{Foreign: c.o.Provider}
	for _, s := range services() {
		for i := range c.o.Replicas {
			three, err := ports.addresses(3)
			if err != nil {
				return at, err
			}
			name := s.name + "-" + strconv.Itoa(i+1)
			listeners[name] = listener{three[0], three[1], three[2]}
			behind[s.name] = append(behind[s.name], three[0])
			if s.site && at.Web == "" {
				at.Web = "http://" + three[1]
			}
		}
	}
	at.Accounts, at.Ingest = strings.Join(behind["accounts"], ","), strings.Join(behind["ingest"], ",")
	at.Validator, at.Enrichment = strings.Join(behind["validator"], ","), strings.Join(behind["enrichment"], ",")
	at.Contacts, at.Provider = strings.Join(behind["contacts"], ","), strings.Join(behind["provider"], ",")

	unused := map[string]bool{}
	for _, line := range c.o.Environ {
		unused[line] = true
	}
	for _, s := range services() {
		known, err := names(append(s.knows, run.Config{}))
		if err != nil {
			return at, err
		}
		for i := range c.o.Replicas {
			name := s.name + "-" + strconv.Itoa(i+1)
			l := listeners[name]
			env := append(settings.Env(s.name, name, at), "CONTACTMILL_ADMIN_LISTEN="+l.admin)
			if s.serves {
				env = append(env, "CONTACTMILL_GRPC_ADDR="+l.grpc)
			}
			if s.site {
				env = append(env, "CONTACTMILL_HTTP_ADDR="+l.http)
			}
			for _, line := range c.o.Environ {
				if knows(known, line) {
					env = append(env, line)
					delete(unused, line)
				}
			}
			env = slices.DeleteFunc(env, func(line string) bool { return !knows(known, line) })
			c.processes = append(c.processes, &process{name: name, binary: "contactmill-" + s.name, worker: s.worker, env: append(foreign(), env...), admin: l.admin})
		}
	}
	for line := range unused {
		name, _, _ := strings.Cut(line, "=")
		return at, fmt.Errorf("%s is no setting of any service", name)
	}
	return at, nil
}

// names of the settings that the configs hold.
func names(configs []any) ([]string, error) {
	var all []string
	for _, c := range configs {
		var b bytes.Buffer
		if err := config.Print(&b, c); err != nil {
			return nil, err
		}
		for line := range strings.Lines(b.String()) {
			name, _, _ := strings.Cut(line, "=")
			all = append(all, name)
		}
	}
	return all, nil
}

func knows(names []string, line string) bool {
	name, _, _ := strings.Cut(line, "=")
	return slices.Contains(names, name) || slices.Contains(names, strings.TrimSuffix(name, "_FILE"))
}

// foreign is this process's environment without settings of ours.
func foreign() []string {
	return slices.DeleteFunc(os.Environ(), func(line string) bool { return strings.HasPrefix(line, config.Prefix) })
}
