package pg

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed outside.sql
var outsideSQL string

// Check connects to a server that is not ours and makes sure that it will do: version 15 or later, and a user who may make roles
// and schemas.
func Check(ctx context.Context, ownerURL string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("connect to the server that CONTACTMILL_DATABASE_URL names: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var version int
	var text string
	var roles, schemas bool
	if err := conn.QueryRow(ctx, outsideSQL).Scan(&version, &text, &roles, &schemas); err != nil {
		return fmt.Errorf("ask the server that CONTACTMILL_DATABASE_URL names for its version: %w", err)
	}
	switch {
	case version/10000 < Oldest:
		return fmt.Errorf("CONTACTMILL_DATABASE_URL names a server of version %s: %d or later is needed", text, Oldest)
	case !roles || !schemas:
		return fmt.Errorf("the user in CONTACTMILL_DATABASE_URL may not make roles and schemas: give it CREATEROLE and CREATE on the database, or use its owner")
	}
	return nil
}
