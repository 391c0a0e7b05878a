package jobs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	defaultPage = 50
	largestPage = 500

	numberSize = 8
	macSize    = 16
)

func pageSize(asked int32) (int, error) {
	switch {
	case asked < 0:
		return 0, fault.New(fault.Invalid, "page-size-invalid", "the page size is negative")
	case asked == 0:
		return defaultPage, nil
	}
	return min(int(asked), largestPage), nil
}

// pages makes page tokens: the number of the page's last job, signed together with what was asked, so that a token goes
// on with nothing but the same question of the same account.
type pages struct{ secret []byte }

func newPages(secret []byte) pages {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("contactmill page token"))
	return pages{mac.Sum(nil)}
}

func (p pages) write(last int64, account uuid.UUID, states []ledger.State) string {
	number := binary.BigEndian.AppendUint64(nil, uint64(last))
	return base64.RawURLEncoding.EncodeToString(append(number, p.sign(number, account, states)...))
}

// read returns the number to go on before; 0 for no token.
func (p pages) read(token string, account uuid.UUID, states []ledger.State) (int64, error) {
	if token == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != numberSize+macSize || !hmac.Equal(b[numberSize:], p.sign(b[:numberSize], account, states)) {
		return 0, fault.New(fault.Invalid, "page-token-invalid", "the page token is not one for this question").
			Hint("pass the token as it was given, with the same states")
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func (p pages) sign(number []byte, account uuid.UUID, states []ledger.State) []byte {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write(number)
	mac.Write(account[:])
	for _, s := range slices.Sorted(slices.Values(states)) {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	return mac.Sum(nil)[:macSize]
}
