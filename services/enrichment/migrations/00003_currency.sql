-- +goose Up

-- What a batch costs is in the currency that its provider had when it was sent; empty where nothing costs anything.
alter table enrichment.batches
    add column currency text not null default '' check (currency ~ '^([A-Z]{3})?$');
drop index enrichment.batches_by_age;
create index batches_by_age on enrichment.batches (account_id, sent_at, provider, batch_id);

-- +goose Down
drop index enrichment.batches_by_age;
create index batches_by_age on enrichment.batches (account_id, sent_at);
alter table enrichment.batches drop column currency;
