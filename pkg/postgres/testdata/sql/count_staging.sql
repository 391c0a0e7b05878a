SELECT count(*) FROM staging
