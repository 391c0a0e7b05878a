package standalone
import (
 _ "github.com/nats-io/nats-server/v2/server"
 _ "github.com/versity/versitygw/embedgw"
 _ "github.com/emersion/go-smtp"
 _ "github.com/jackc/pgx/v5"
 _ "golang.org/x/sync/errgroup"
)
