package stage

import (
	"encoding/hex"
	"strings"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// ToObject is a stored object as results of stages name it.
func ToObject(o blob.Object) *ingestv1.Object {
	return &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: hex.EncodeToString(o.SHA256[:])}
}

// FromObject is a stored object that the ledger names, of those whose names begin with the prefix. Another's, or one without
// a whole hash, is DataLoss: it is not believed.
func FromObject(prefix string, o *ingestv1.Object) (blob.Object, error) {
	b := blob.Object{Name: o.GetName(), Size: o.GetSize()}
	hash, err := hex.DecodeString(o.GetSha256())
	if err != nil || len(hash) != len(b.SHA256) || !strings.HasPrefix(b.Name, prefix) || len(b.Name) == len(prefix) {
		return blob.Object{}, fault.New(fault.DataLoss, "object-foreign", "a stored result names an object that is not of %s, or without its hash", prefix)
	}
	copy(b.SHA256[:], hash)
	return b, nil
}
