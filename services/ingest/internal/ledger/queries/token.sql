-- A statement of its own after lock_queue: the token is given under the lock.
SELECT nextval('tokens')
