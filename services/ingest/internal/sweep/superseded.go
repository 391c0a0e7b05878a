package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// superseded removes from a final job what was written under tokens that lost, when a stage was done more than once: as
// the job is final, only what its results name is ever read again. The rest goes with the job's age.
func (s *Sweeper) superseded(ctx context.Context, account, job uuid.UUID, names []string) error {
	if !doneTwice(account, job, names) {
		return nil
	}
	j, err := s.ledger.Job(ctx, account, ledger.Ref{ID: job})
	if fault.Of(err) == fault.NotFound || err == nil && !j.State.Final() {
		return nil
	}
	if err != nil {
		return err
	}
	results, err := s.ledger.Results(ctx, account, job)
	if err != nil {
		return err
	}
	needed, err := namesIn(results)
	if err != nil {
		return fmt.Errorf("read results of job %s: %w", job, err)
	}
	if j.Plan != nil {
		needed[j.Plan.Object.Name] = true
	}
	removed := 0
	for _, name := range names {
		if needed[name] {
			continue
		}
		if err := s.store.Delete(ctx, name); err != nil {
			return err
		}
		removed++
	}
	if removed > 0 {
		s.log.Info("superseded results swept", "account", account, "job", job, "objects", removed)
	}
	return nil
}

// doneTwice tells whether a stage wrote under more than one token.
func doneTwice(account, job uuid.UUID, names []string) bool {
	prefix := blob.JobPrefix(account, job)
	tokens := map[string]string{} // by stage
	for _, name := range names {
		claim, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "/")
		stage, token, _ := strings.Cut(claim, "-")
		if other, ok := tokens[stage]; ok && other != token {
			return true
		}
		tokens[stage] = token
	}
	return false
}

// namesIn lists every object that results name.
func namesIn(r ledger.Results) (map[string]bool, error) {
	var (
		validated ingestv1.ValidateResult
		matched   ingestv1.MatchResult
		enriched  ingestv1.EnrichResult
		merged    ingestv1.MergeResult
	)
	for _, part := range []struct {
		body []byte
		into proto.Message
	}{{r.Validated, &validated}, {r.Matched, &matched}, {r.Enriched, &enriched}, {r.Merged, &merged}} {
		if err := proto.Unmarshal(part.body, part.into); err != nil {
			return nil, err
		}
	}
	names := map[string]bool{
		matched.GetVerdicts().GetName(): true, enriched.GetFacts().GetName(): true, merged.GetOutcomes().GetName(): true,
	}
	for _, c := range validated.GetChunks() {
		names[c.GetCells().GetName()] = true
		names[c.GetKeys().GetName()] = true
	}
	return names, nil
}
