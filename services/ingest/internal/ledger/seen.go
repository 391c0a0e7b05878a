package ledger

import "github.com/jackc/pgx/v5"

const (
	// mostSeen is how many sets of columns an account's imports are remembered by; the one not imported for longest goes.
	mostSeen = 100
	// mostEarlier is how many of them validation compares a file with.
	mostEarlier = 20
)

// KeyShare is how many rows have a unique key and how many of these found a contact by it.
type KeyShare struct {
	Key   uint32 `json:"key"`
	Rows  int64  `json:"rows"`
	Known int64  `json:"known"`
}

// Earlier is the columns of a file that was imported.
type Earlier struct {
	JobNumber int64    `db:"job_number"` // the last job that imported one with such columns
	Columns   []Column `db:"columns"`
}

// seen is what there is to note of a job whose file was imported.
type seen struct {
	key     []byte
	columns []Column
	shares  []KeyShare
	number  int64
}

// seenOf is what to note of a completed job; nil of an undo, of a correction, which is a part of a file, and of a file that
// has no columns to know it by.
func seenOf(j *jobRow) *seen {
	if j.Kind != Import || j.Corrects != nil || len(j.HeadingsKey) == 0 {
		return nil
	}
	s := &seen{key: j.HeadingsKey, columns: j.Columns, shares: j.Shares, number: j.Number}
	if s.columns == nil {
		s.columns = []Column{}
	}
	if s.shares == nil {
		s.shares = []KeyShare{}
	}
	return s
}

// queueSeen notes a completed job's file, or forgets one that came with a job which was undone and never came again.
func (c *change) queueSeen(b *pgx.Batch) {
	sql := &c.ledger.sql
	if s := c.seen; s != nil {
		b.Queue(sql.SaveSeen, c.account, s.key, s.columns, s.shares, s.number, c.at)
		b.Queue(sql.ForgetLongUnseen, c.account, mostSeen)
	}
	if c.unseen != 0 {
		b.Queue(sql.ForgetSeen, c.account, c.unseen)
	}
}

// outlook is what matching compares with.
type outlook struct {
	Usual []*usualRow // of the last import of such a file, or else of the one that its columns are most like; at most one
	Ahead int64       // jobs of the account that go before a check
}

type usualRow struct {
	Shares []KeyShare `db:"shares"`
}

// queueOutlook asks for what matching is to compare with.
func (c *change) queueOutlook(b *pgx.Batch, o *outlook) {
	j := &c.job
	// the rows of a correction are chosen by what was wrong with them: what is usual for the whole file says nothing of them
	if j.Corrects == nil && (len(j.HeadingsKey) > 0 || j.LikeNumber != nil) {
		many(b, c.ledger.sql.Usual, &o.Usual, c.account, j.HeadingsKey, j.LikeNumber)
	}
	if j.CheckOnly {
		b.Queue(c.ledger.sql.Ahead, c.account, j.ID, j.Number, j.ForecastOf).QueryRow(func(r pgx.Row) error { return r.Scan(&o.Ahead) })
	}
}
