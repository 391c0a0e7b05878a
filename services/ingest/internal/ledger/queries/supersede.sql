UPDATE instances SET superseded = true WHERE instance = $1 AND incarnation <> $2 AND NOT superseded
