-- $1 is off before statements that find contacts by their places, and on after them: loops are what they are to join by.
select set_config('enable_hashjoin', $1, true), set_config('enable_mergejoin', $1, true)
