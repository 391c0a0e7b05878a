package stage

import (
	"encoding/hex"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// ToObject is a stored object as results of stages name it.
func ToObject(o blob.Object) *ingestv1.Object {
	return &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: hex.EncodeToString(o.SHA256[:])}
}

// FromObject is an object that an earlier stage left. One without a name or a whole hash is DataLoss.
func FromObject(o *ingestv1.Object) (blob.Object, error) {
	b := blob.Object{Name: o.GetName(), Size: o.GetSize()}
	hash, err := hex.DecodeString(o.GetSha256())
	if err != nil || copy(b.SHA256[:], hash) != len(hash) || len(hash) != len(b.SHA256) || b.Name == "" {
		return blob.Object{}, fault.New(fault.DataLoss, "object-unnamed", "an earlier stage left an object without name or hash")
	}
	return b, nil
}
