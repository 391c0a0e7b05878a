package services
import (
 _ "github.com/spf13/cobra"
 _ "github.com/vbauerster/mpb/v8"
 _ "charm.land/lipgloss/v2"
 _ "golang.org/x/time/rate"
 _ "github.com/google/go-cmp/cmp"
 _ "pgregory.net/rapid"
 _ "google.golang.org/grpc"
 _ "google.golang.org/protobuf/proto"
 _ "github.com/jackc/pgx/v5"
 _ "github.com/google/uuid"
 _ "golang.org/x/sync/errgroup"
 _ "github.com/sony/gobreaker/v2"
)
