-- Hashes in the order of their keys' numbers.
SELECT contact_id, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash, vat_number_hash,
    own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash
FROM contacts.contacts
WHERE account_id = $1 AND contact_id = ANY ($2::uuid[])
