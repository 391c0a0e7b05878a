package contacts

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
)

// A page token is a version, the start of a hash of the filter it goes on with, and where the page ended.
const (
	tokenVersion = 1
	tokenLength  = 1 + 8 + 16 + 8
)

// writeToken is empty at the end.
func writeToken(at *contactdb.Cursor, f contactdb.Filter) string {
	if at == nil {
		return ""
	}
	b := append([]byte{tokenVersion}, markOf(f)...)
	b = append(b, at.After[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Position))
	return base64.RawURLEncoding.EncodeToString(b)
}

// readToken takes what writeToken made for the same filter; the empty token begins.
func readToken(token string, f contactdb.Filter) (contactdb.Cursor, error) {
	if token == "" {
		return contactdb.Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != tokenLength || b[0] != tokenVersion || string(b[1:9]) != string(markOf(f)) {
		return contactdb.Cursor{}, fault.New(fault.Invalid, "bad-page-token", "the page token does not belong to this filter").
			Hint("send the token of the page before, with the same filter")
	}
	return contactdb.Cursor{After: uuid.UUID(b[9:25]), Position: int64(binary.BigEndian.Uint64(b[25:]))}, nil
}

func markOf(f contactdb.Filter) []byte {
	h := sha256.New()
	h.Write(f.Job.UUID[:])
	for _, k := range f.Keys {
		h.Write(k[:])
	}
	h.Write([]byte(f.List))
	return h.Sum(nil)[:8]
}
