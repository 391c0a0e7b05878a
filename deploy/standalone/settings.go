package standalone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/services/accounts"
	"github.com/contactmill/contactmill/services/migrate"
)

// database is the name of ours on a server that we started.
const database = "contactmill"

// Addresses is where the services find each other; each may name several replicas with commas. Foreign is a provider of
// enrichment that is none of ours: it is asked instead of Provider and never shown our key.
type Addresses struct{ Accounts, Ingest, Contacts, Provider, Foreign, Validator, Enrichment, Web string }

// Settings is an installation: parts that run, a migrated database, and the secrets that the services share.
type Settings struct {
	Parts *parts.Parts

	dir     string
	owner   string // URL of the database's owner
	secrets secrets
}

// secrets are made once and kept in the state directory.
type secrets struct {
	ServiceKey string            `json:"service_key"`
	Passwords  map[string]string `json:"passwords"` // of the roles in the database
}

// Prepare makes an installation of running parts: it makes the database if there is none, migrates it, and makes the
// secrets that are missing.
func Prepare(ctx context.Context, dir string, p *parts.Parts) (*Settings, error) {
	s := &Settings{Parts: p, dir: dir, owner: p.DatabaseURL()}
	if err := s.loadSecrets(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.keyring()); errors.Is(err, os.ErrNotExist) {
		if _, err := keyring.Generate(s.keyring()); err != nil {
			return nil, fmt.Errorf("make the keys that secret fields are sealed with: %w", err)
		}
	}
	if p.Postgres != nil {
		if err := s.ensureDatabase(ctx); err != nil {
			return nil, err
		}
	}
	if err := postgres.Migrate(ctx, s.owner, migrate.Schemas()...); err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	if err := postgres.SetPasswords(ctx, s.owner, s.secrets.Passwords); err != nil {
		return nil, fmt.Errorf("let the services into the database: %w", err)
	}
	return s, nil
}

// Env is the environment of a service's process: where its parts and the other services are. instance tells replicas apart.
func (s *Settings) Env(service, instance string, a Addresses) []string {
	provider, providerKey := a.Foreign, ""
	if provider == "" {
		provider, providerKey = a.Provider, "svc_"+s.secrets.ServiceKey
	}
	env := map[string]string{
		"NATS_URL": s.Parts.NATS.URL(), "S3_URL": s.Parts.S3.URL(), "SMTP_URL": s.Parts.Mail.URL() + "?from=contactmill@example.com",
		"DATABASE_URL": s.roleURL(service), "SERVICE_KEY": s.secrets.ServiceKey, "KEYRING_FILE": s.keyring(), "INSTANCE": instance, "SPOOL_DIR": s.dir,
		"ACCOUNTS_ADDR": a.Accounts, "INGEST_ADDR": a.Ingest, "CONTACTS_ADDR": a.Contacts, "PROVIDER_ADDR": provider, "PROVIDER_KEY": providerKey, "WEB_URL": a.Web,
	}
	var list []string
	for name, value := range env {
		if value != "" {
			list = append(list, "CONTACTMILL_"+name+"="+value)
		}
	}
	return list
}

// OwnerURL is the URL of the database's owner, for migrations and measurements.
func (s *Settings) OwnerURL() string { return s.owner }

func (s *Settings) keyring() string { return filepath.Join(s.dir, "keyring.json") }

// roleURL is the database as a service logs in to it; empty for one that has no role there.
func (s *Settings) roleURL(role string) string {
	password, ok := s.secrets.Passwords[role]
	if !ok {
		return ""
	}
	u, err := url.Parse(s.owner)
	if err != nil {
		return "" // the owner logged in with it
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func (s *Settings) loadSecrets() error {
	name := filepath.Join(s.dir, "secrets.json")
	b, err := os.ReadFile(name)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &s.secrets); err != nil {
			return fmt.Errorf("read %s: %w: put back the file that belongs to this state, or begin with another state directory", name, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("read %s: %w", name, err)
	}
	missing := false
	if s.secrets.ServiceKey == "" {
		s.secrets.ServiceKey, missing = random(), true
	}
	if s.secrets.Passwords == nil {
		s.secrets.Passwords = map[string]string{}
	}
	for _, schema := range migrate.Schemas() {
		for _, role := range schema.Users() {
			if s.secrets.Passwords[role] == "" {
				s.secrets.Passwords[role], missing = random(), true
			}
		}
	}
	if !missing {
		return nil
	}
	if b, err = json.MarshalIndent(s.secrets, "", "  "); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return writeFile(name, append(b, '\n'))
}

// ensureDatabase makes our database on a server that we started.
func (s *Settings) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.owner)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&there); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if !there {
		if _, err := conn.Exec(ctx, "create database "+database); err != nil {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	u, err := url.Parse(s.owner)
	if err != nil {
		return fmt.Errorf("read the database's URL: %w", err)
	}
	u.Path = "/" + database
	s.owner = u.String()
	return nil
}

func random() string {
	var b [24]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// writeFile writes a file for this user alone, whole or not at all.
func writeFile(name string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// ClientEnv is the file by which clients find an installation; it is there while it is ready.
type ClientEnv struct {
	Addr, Contacts, Accounts, Validator, Enrichment string // replicas with commas; all but the first are empty where they are behind Addr
	Key                                             string
}

// write writes DIR/client.env.
func (c ClientEnv) write(dir string) error {
	var b strings.Builder
	for _, v := range []struct{ name, value string }{{"ADDR", c.Addr}, {"CONTACTS_ADDR", c.Contacts}, {"ACCOUNTS_ADDR", c.Accounts}, {"VALIDATOR_ADDR", c.Validator}, {"ENRICHMENT_ADDR", c.Enrichment}, {"API_KEY", c.Key}} {
		if v.value != "" {
			fmt.Fprintf(&b, "CONTACTMILL_%s=%s\n", v.name, v.value)
		}
	}
	return writeFile(filepath.Join(dir, "client.env"), []byte(b.String()))
}

// Env is the same as an environment.
func (c ClientEnv) Env() []string {
	return []string{"CONTACTMILL_ADDR=" + c.Addr, "CONTACTMILL_CONTACTS_ADDR=" + c.Contacts, "CONTACTMILL_ACCOUNTS_ADDR=" + c.Accounts, "CONTACTMILL_VALIDATOR_ADDR=" + c.Validator,
		"CONTACTMILL_ENRICHMENT_ADDR=" + c.Enrichment, "CONTACTMILL_API_KEY=" + c.Key}
}

// AdminKey is the key of an admin of account demo. It is made with the account and kept in the state directory; if it was
// lost there, it is ended and a new one made.
func (s *Settings) AdminKey(ctx context.Context, a *accounts.Service) (string, error) {
	name := filepath.Join(s.dir, "admin.key")
	kept, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	seed := accounts.Demo()
	seed.Renew = len(kept) == 0
	made, err := a.Bootstrap(ctx, seed)
	if err != nil {
		return "", err
	}
	if key := made.Admin.Reveal(); key != "" {
		if err := writeFile(filepath.Join(s.dir, "operator.key"), []byte(made.Operator.Reveal()+"\n")); err != nil {
			return "", err
		}
		return key, writeFile(name, []byte(key+"\n"))
	}
	return strings.TrimSpace(string(kept)), nil
}
