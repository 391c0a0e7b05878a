package view

import (
	"maps"
	"slices"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	statePrefix = "JOB_STATE_"
	modePrefix  = "MODE_"
	orderPrefix = "DATE_ORDER_"
)

// State is a state's number in the contract.
func State(s ledger.State) ingestv1.JobState {
	return ingestv1.JobState(ingestv1.JobState_value[statePrefix+string(s)])
}

// FromState is false for a number that names no state.
func FromState(s ingestv1.JobState) (ledger.State, bool) {
	for _, state := range ledger.States() {
		if State(state) == s {
			return state, true
		}
	}
	return "", false
}

// Settings is what was asked.
func Settings(s ledger.Settings) *ingestv1.ImportSettings {
	return &ingestv1.ImportSettings{
		Mode:       ingestv1.Mode(ingestv1.Mode_value[modePrefix+string(s.Mode)]),
		List:       s.List,
		Mapping:    maps.Clone(s.Mapping),
		Check:      s.Check,
		Recipients: slices.Clone(s.Recipients),
		DateOrder:  DateOrder(s.DateOrder),
		Reading:    reading(s.Reading),
		Values:     Values(s.Values),
		Policies:   Policies(s.Policies),
		AsOf:       at(s.AsOf),

		BadCell:           BadCell(s.BadCell),
		UnknownToProvider: UnknownToProvider(s.UnknownToProvider),
		Review:            s.Review,
		ProviderDown:      ProviderDown(s.ProviderDown),
	}
}

// FromMode is false for a number that names no mode.
func FromMode(m ingestv1.Mode) (ledger.Mode, bool) {
	switch m {
	case ingestv1.Mode_MODE_ADD:
		return ledger.Add, true
	case ingestv1.Mode_MODE_UPDATE:
		return ledger.Update, true
	case ingestv1.Mode_MODE_UPSERT:
		return ledger.Upsert, true
	}
	return "", false
}

// DateOrder is an order's number in the contract; 0 for none.
func DateOrder(o ledger.DateOrder) ingestv1.DateOrder {
	return ingestv1.DateOrder(ingestv1.DateOrder_value[orderPrefix+string(o)])
}

// FromDateOrder is false for a number that names no order; not set is empty.
func FromDateOrder(o ingestv1.DateOrder) (ledger.DateOrder, bool) {
	switch o {
	case ingestv1.DateOrder_DATE_ORDER_UNSPECIFIED:
		return "", true
	case ingestv1.DateOrder_DATE_ORDER_YMD:
		return ledger.YMD, true
	case ingestv1.DateOrder_DATE_ORDER_DMY:
		return ledger.DMY, true
	case ingestv1.DateOrder_DATE_ORDER_MDY:
		return ledger.MDY, true
	}
	return "", false
}
