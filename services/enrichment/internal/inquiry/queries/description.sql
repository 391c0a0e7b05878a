-- What the provider at an address said of itself last.
select description
from enrichment.descriptions
where address = $1
