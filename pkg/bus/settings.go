package bus

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// streamDiffers says which of the settings we rely on is not as wanted, or "". More replicas than wanted are the operator's choice.
func streamDiffers(have, want jetstream.StreamConfig) string {
	return first(
		differs("subjects", fmt.Sprint(have.Subjects), fmt.Sprint(want.Subjects)),
		differs("retention", have.Retention, want.Retention),
		differs("storage", have.Storage, want.Storage),
		differs("discard", have.Discard, want.Discard),
		differs("max messages", have.MaxMsgs, want.MaxMsgs),
		differs("max bytes", have.MaxBytes, -1),
		differs("max messages per subject", have.MaxMsgsPerSubject, -1),
		differs("max message size", have.MaxMsgSize, want.MaxMsgSize),
		differs("max age", have.MaxAge, want.MaxAge),
		differs("no acknowledgement", have.NoAck, false),
		differs("sealed", have.Sealed, false),
		differs("mirror", have.Mirror != nil || len(have.Sources) > 0, false),
		differs("subject transform", have.SubjectTransform != nil, false),
		duplicatesDiffer(have, want),
		replicasDiffer(have, want),
	)
}

// withStream is have with the settings of want, to be sent as an update.
func withStream(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	next := have
	next.Subjects, next.Retention, next.Storage, next.Discard = want.Subjects, want.Retention, want.Storage, want.Discard
	next.MaxMsgs, next.MaxBytes, next.MaxMsgsPerSubject, next.MaxMsgSize = want.MaxMsgs, -1, -1, want.MaxMsgSize
	next.DiscardNewPerSubject = false // goes with a limit per subject only
	next.MaxAge, next.NoAck, next.SubjectTransform = want.MaxAge, false, nil
	if want.Duplicates != 0 {
		next.Duplicates = want.Duplicates
	}
	next.Replicas = max(have.Replicas, want.Replicas)
	return next
}

// consumerDiffers says which of the settings we rely on is not as wanted, or "".
func consumerDiffers(have, want jetstream.ConsumerConfig) string {
	return first(
		differs("filter", fmt.Sprint(filters(have)), fmt.Sprint(filters(want))),
		differs("acknowledgement", have.AckPolicy, want.AckPolicy),
		differs("start of delivery", have.DeliverPolicy, want.DeliverPolicy),
		differs("acknowledgement wait", have.AckWait, want.AckWait),
		differs("max deliveries", have.MaxDeliver, want.MaxDeliver),
		differs("back-off steps", len(have.BackOff), 0), // they would replace the wait
		differs("max unacknowledged", have.MaxAckPending, want.MaxAckPending),
		differs("max waiting", have.MaxWaiting, want.MaxWaiting),
		differs("max batch", have.MaxRequestBatch, 0),
		differs("push subject", have.DeliverSubject, ""),
		differs("headers only", have.HeadersOnly, false),
		differs("memory storage", have.MemoryStorage, false),
		differs("inactive threshold", have.InactiveThreshold, want.InactiveThreshold),
		differs("rate limit", have.RateLimit, 0),
		differs("priority groups", len(have.PriorityGroups), 0),
	)
}

// withConsumer is have with the settings of want, to be sent as an update.
func withConsumer(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	next := want
	next.Description, next.Metadata, next.Replicas = have.Description, have.Metadata, have.Replicas
	return next
}

func filters(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return append(slices.Clone(c.FilterSubjects), c.FilterSubject)
	}
	return c.FilterSubjects
}

func duplicatesDiffer(have, want jetstream.StreamConfig) string {
	if want.Duplicates == 0 { // rings carry no id
		return ""
	}
	return differs("duplicate window", have.Duplicates, want.Duplicates)
}

func replicasDiffer(have, want jetstream.StreamConfig) string {
	if have.Replicas >= want.Replicas {
		return ""
	}
	return differs("replicas", have.Replicas, want.Replicas)
}

func differs[T comparable](setting string, have, want T) string {
	if have == want {
		return ""
	}
	return fmt.Sprintf("%s is %v, must be %v", setting, have, want)
}

func first(differences ...string) string {
	for _, d := range differences {
		if d != "" {
			return d
		}
	}
	return ""
}
