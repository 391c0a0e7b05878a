package model_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// stored is a line of contacts.contacts as JSON.
type stored struct {
	ContactID   uuid.UUID       `json:"contact_id"`
	CreatedJob  *uuid.UUID      `json:"created_job"`
	CreatedLine int             `json:"created_line"`
	CreatedAt   time.Time       `json:"created_at"`
	AsOf        *time.Time      `json:"as_of"`
	Own         map[string]any  `json:"own"`
	Origins     json.RawMessage `json:"origins"`
	columns     map[string]any
}

// state reads the account from the database, as the model tells of its own. What must hold between tables at any time is
// checked on the way.
func (a *account) state(ctx context.Context) ([]string, error) {
	lines, err := collect[[]byte](ctx, a, "select to_jsonb(c) from contacts.contacts c where account_id = $1 order by contact_id", a.id)
	if err != nil {
		return nil, err
	}
	is := model.New(schema, 0)
	var keys []string
	for _, line := range lines {
		var s stored
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(line, &s.columns); err != nil {
			return nil, err
		}
		c, err := a.read(&s)
		if err != nil {
			return nil, fmt.Errorf("contact #%d: %w", a.numbers[s.ContactID], err)
		}
		is.Contacts[a.numbers[s.ContactID]] = c
		keys = append(keys, a.keysOf(s.ContactID, c)...)
	}
	if err := a.lists(ctx, is); err != nil {
		return nil, err
	}
	slices.Sort(keys)
	have, err := collect[string](ctx, a, `select key || ' ' || hash || ' ' || contact_id from contacts.contact_keys where account_id = $1
		union all select 7 || ' ' || hash || ' ' || contact_id from contacts.contact_fallbacks where account_id = $1`, a.id)
	if err != nil {
		return nil, err
	}
	slices.Sort(have)
	if !slices.Equal(keys, have) {
		return nil, fmt.Errorf("the contacts have the keys %q, and kept are %q", keys, have)
	}
	wrong, err := collect[string](ctx, a, `select 'the account holds ' || held || ' contacts' from contacts.holdings h where account_id = $1 and held <> $2
		union all select 'the list ' || name || ' counts ' || members || ' members up to ' || last_position from contacts.lists l where account_id = $1 and (members, true) <>
			(select count(*), coalesce(max(position), 0) <= l.last_position from contacts.list_members m where m.account_id = $1 and m.list_id = l.list_id)
		union all select 'a member of a list that is not there' from contacts.list_members m where account_id = $1 and not exists
			(select from contacts.lists l where l.account_id = $1 and l.list_id = m.list_id)`, a.id, len(lines))
	if err != nil {
		return nil, err
	}
	return append(is.State(), wrong...), nil
}

func collect[T any](ctx context.Context, a *account, sql string, args ...any) ([]T, error) {
	rows, err := a.owner.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// job is the number of a job.
func (a *account) job(id uuid.UUID) int {
	for n, j := range a.jobs {
		if j == id {
			return n
		}
	}
	return -1
}

// read makes a contact of its line.
func (a *account) read(s *stored) (*model.Contact, error) {
	c := &model.Contact{Values: map[contact.Field]string{}, Made: model.Origin{Hand: true, At: s.CreatedAt.Unix()}}
	if s.CreatedJob != nil {
		c.Made = model.Origin{Job: a.job(*s.CreatedJob), Line: s.CreatedLine}
	}
	if s.AsOf != nil {
		c.Made.At, c.Made.Said = s.AsOf.Unix(), true
	}
	for _, f := range schema.Fields() {
		spec, _ := schema.Spec(f)
		if !f.Kept() {
			continue
		}
		value := s.columns[spec.Name]
		if f >= contact.FirstCustom {
			value = s.Own[contactdb.OwnName(f)]
		}
		text, ok := value.(string)
		switch {
		case value == nil:
			continue
		case spec.Secret && f < contact.FirstCustom:
			sealed, err := hex.DecodeString(text[2:])
			if err != nil {
				return nil, err
			}
			if text, err = a.open(sealed, spec.Name, s.ContactID); err != nil {
				return nil, err
			}
		case spec.Secret:
			pair := value.([]any)
			sealed, err := base64.RawStdEncoding.DecodeString(pair[1].(string))
			if err != nil {
				return nil, err
			}
			if text, err = a.open(sealed, contactdb.OwnName(f), s.ContactID); err != nil {
				return nil, err
			}
			var o contactdb.OwnValues
			if hash := o.Hash(a.hasher, a.id, f, []byte(text)); base64.RawStdEncoding.EncodeToString(hash[:]) != pair[0] {
				return nil, fmt.Errorf("the hash of %s is of another value", spec.Name)
			}
		case !ok:
			return nil, fmt.Errorf("%s is %v", spec.Name, value)
		}
		c.Values[f] = text
	}
	var err error
	c.Origins, err = a.origins(s.Origins)
	return c, err
}

func (a *account) open(sealed []byte, name string, id uuid.UUID) (string, error) {
	plain, err := a.ring.Open(sealed, keyring.ForContact(a.id, name, id))
	return string(plain), err
}

// origins reads the column origins, and refuses one that is not in the form in which it is kept: the entries of jobs in
// the order of their numbers and lines, no field in two of them, none without a field.
func (a *account) origins(text json.RawMessage) (map[contact.Field]model.Origin, error) {
	all := map[contact.Field]model.Origin{}
	if text == nil || string(text) == "null" {
		return all, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	set := func(f contact.Field, o model.Origin) error {
		was, twice := all[f]
		switch {
		case twice && !was.Hand:
			return fmt.Errorf("origins %s name %s twice", text, schema.Name(f))
		case !twice: // a person's word is newer than the jobs' beside it, which comes to light when it is taken back
			all[f] = o
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if name == "jobs" {
			continue
		}
		var o struct {
			At       time.Time `json:"at"`
			Replaced []string  `json:"replaced"`
		}
		if err := json.Unmarshal(raw[name], &o); err != nil {
			return nil, err
		}
		f, ok := schema.Field(name)
		if n, err := strconv.Atoi(name); err == nil {
			f, ok = contact.Field(n), true
		}
		if !ok {
			return nil, fmt.Errorf("origins %s name no field", text)
		}
		origin := model.Origin{Hand: true, At: o.At.Unix()}
		for _, hash := range o.Replaced {
			origin.Replaced = append(origin.Replaced, a.valueOf(f, hash))
		}
		slices.Sort(origin.Replaced)
		if err := set(f, origin); err != nil {
			return nil, err
		}
	}
	if raw["jobs"] == nil {
		return all, nil
	}
	var entries [][]json.RawMessage
	if err := json.Unmarshal(raw["jobs"], &entries); err != nil {
		return nil, err
	}
	last := model.Origin{}
	for _, e := range entries {
		var fields uint64
		var own []int
		o := model.Origin{}
		into := []any{&fields, &o.Job, &o.Line, &own, &o.At}
		if len(e) < 3 || len(e) > len(into) {
			return nil, fmt.Errorf("origins %s have an entry of %d parts", text, len(e))
		}
		for i := range e {
			if err := json.Unmarshal(e[i], into[i]); err != nil {
				return nil, fmt.Errorf("origins %s: %w", text, err)
			}
		}
		o.Said = len(e) == 5
		if cmp.Or(cmp.Compare(last.Job, o.Job), cmp.Compare(last.Line, o.Line)) > 0 || fields == 0 && len(own) == 0 {
			return nil, fmt.Errorf("origins %s are out of order, or name no field", text)
		}
		last = o
		for f := contact.Field(1); f < 64; f++ {
			if fields&(1<<f) != 0 {
				own = append(own, int(f))
			}
		}
		for _, f := range own {
			if err := set(contact.Field(f), o); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// learn keeps the hashes of a value, so that it is known in the place of its hash.
func (a *account) learn(words model.Words) {
	for f, w := range words {
		spec, _ := schema.Spec(f)
		var o contactdb.OwnValues
		hash := a.hasher.Hash(a.id, 64+uint8(f), []byte(w.Value))
		switch {
		case spec.Key != contact.NoKey:
			hash = a.hasher.Hash(a.id, uint8(spec.Key), []byte(w.Value))
		case f >= contact.FirstCustom:
			hash = o.Hash(a.hasher, a.id, f, []byte(w.Value))
		}
		a.values[fmt.Sprintf("%d %x", f, hash)] = w.Value
	}
}

// valueOf is the value with a hash.
func (a *account) valueOf(f contact.Field, hash string) string {
	if v, ok := a.values[fmt.Sprintf("%d %s", f, hash)]; ok {
		return v
	}
	return "what?"
}

// keysOf are the keys that a contact must have, as they are kept.
func (a *account) keysOf(id uuid.UUID, c *model.Contact) []string {
	var all []string
	key := func(k contact.Key, text []byte) {
		all = append(all, fmt.Sprintf("%d %s %s", k, uuid.UUID(a.hasher.Hash(a.id, uint8(k), text)), id))
	}
	for f, v := range c.Values {
		if spec, _ := schema.Spec(f); spec.Key != contact.NoKey {
			key(spec.Key, []byte(v))
		}
	}
	birth, code := contact.ParseDate([]byte(c.Values[contact.FieldBirthDate]), contact.DateRules{})
	if text, ok := contact.AppendNameBirthZip(nil, []byte(c.Values[contact.FieldFirstName]), []byte(c.Values[contact.FieldLastName]), birth,
		[]byte(c.Values[contact.FieldZip])); ok && code == "" {
		key(contact.NameBirthZip, text)
	}
	return all
}

// lists reads the lists and who is on them.
func (a *account) lists(ctx context.Context, is *model.Account) error {
	rows, err := a.owner.Query(ctx, `select l.name, l.made_by_job, m.contact_id, m.added_by_job, m.ending is not null
		from contacts.lists l left join contacts.list_members m on m.account_id = l.account_id and m.list_id = l.list_id
		where l.account_id = $1 order by l.name, m.position`, a.id)
	if err != nil {
		return err
	}
	var name string
	var madeBy, member, addedBy uuid.NullUUID
	var called bool
	_, err = pgx.ForEachRow(rows, []any{&name, &madeBy, &member, &addedBy, &called}, func() error {
		if is.Lists[name] == nil {
			is.Lists[name] = &model.List{}
			if madeBy.Valid {
				is.Lists[name].MadeBy = a.job(madeBy.UUID)
			}
		}
		if !member.Valid {
			return nil
		}
		m := model.Member{Contact: a.numbers[member.UUID], Called: called}
		if addedBy.Valid {
			m.Job = a.job(addedBy.UUID)
		}
		is.Lists[name].Members = append(is.Lists[name].Members, m)
		return nil
	})
	return err
}
