package contact

// headingWords are the headings seen in exports of address books, shops, mailing and sales systems, in English, German,
// French, Spanish, Italian, Portuguese and Dutch, folded as AppendFolded does. A word stands in one line only.
var headingWords = [...]struct {
	field      Field
	confidence float64
	words      string
}{
	{FieldFirstName, .95, "firstname fname givenname forename first christianname vorname rufname prenom nombre nombres primernombre nome primeironome nomeproprio voornaam roepnaam contactfirstname customerfirstname firstnames leadfirstname personfirstname"},
	{FieldLastName, .95, "lastname lname surname familyname last nachname familienname zuname nomdefamille apellido apellidos primerapellido cognome sobrenome apelido ultimonome achternaam familienaam contactlastname customerlastname secondname leadlastname personlastname"},
	{FieldLastName, .6, "nom"},
	{FieldFullName, .9, "fullname completename displayname contactname customername personname nomcomplet nombrecompleto nomecompleto volledigenaam vollername vollstandigername vorundnachname nameofcontact clientname leadname"},
	{FieldFullName, .8, "name naam contact"},

	{FieldPhone, .95, "phone phonenumber phoneno phonenr telephone telephonenumber telephoneno tel telno telnr telefon telefonnummer telefonnr rufnummer numerodetelephone numerotelephone telefono numerodetelefono numerotelefono numeroditelefono telefone numerodetelefone telefoonnummer telefoon primaryphone mainphone contactphone customerphone phonee164 msisdn defaultphone phone1value"},
	{FieldPhone, .9, "mobile mobilephone mobilenumber mobilephonenumber mobileno cell cellphone cellphonenumber cellular handy handynummer mobil mobiltelefon mobilnummer mobilfunk portable telephoneportable telmobile movil telefonomovil celular cellulare telefonocellulare telemovel mobielnummer mobiel gsm whatsapp"},
	{FieldPhone, .8, "homephone homenumber hometelephone privatephone telefonprivat sms smsnumber landline festnetz fixe telefonofijo"},
	{FieldPhone, .7, "businessphone workphone officephone companyphone companymainphone directphone telefongeschaftlich diensttelefon worknumber"},

	{FieldEmail, .95, "email emailaddress mail mailaddress emailadresse mailadresse emailadress courriel adresseemail adressemail adressedecourriel adresseelectronique correo correoelectronico direcciondecorreo direcciondecorreoelectronico direccionemail indirizzoemail indirizzodiposta postaelettronica enderecodeemail emailadres primaryemail contactemail customeremail useremail emailprimary subscriberemail email1value"},
	{FieldEmail, .8, "personalemail homeemail privateemail workemail businessemail companyemail emailprivate emailwork"},

	{FieldBirthDate, .95, "birthdate dateofbirth dob birthday bday borndate geburtsdatum geburtstag gebdatum datedenaissance datenaissance naissance fechadenacimiento fechanacimiento nacimiento datadinascita datanascita dataditnascita compleanno datadenascimento datanascimento nascimento geboortedatum birthdatum"},
	{FieldBirthDate, .8, "born geboren anniversaire cumpleanos aniversario verjaardag"},

	{FieldSSN, .95, "ssn socialsecuritynumber socialsecurityno socialsecuritynr socialsecurity socsecnumber socialsec usssn taxpayerssn"},
	{FieldAccountNumber, .95, "accountnumber accountno accountnr acctnumber acctno accountnum kontonummer numerodecompte numerocompte numerodecuenta numerocuenta numeroconto numerodeconta rekeningnummer accountid"},
	{FieldZip, .95, "zip zipcode zippostalcode postalcode postcode postalzipcode ziporpostalcode plz postleitzahl codepostal cp codigopostal cap codicepostale codicediavviamentopostale cep codigodeenderecamentopostal postnummer zipcode5 postalcodezip"},
	{FieldZip, .85, "homepostalcode homezip mailingzip mailingpostalcode shippingzip billingzip billingpostcode mailingzippostalcode addresszip"},
	{FieldZip, .7, "businesspostalcode workzip"},
	{FieldZip, .6, "otherpostalcode"},

	{FieldExternalID, .95, "externalid externalreference externalref extid crmid sourceid foreignid externeid externenummer idexterno idexterne idesterno"},
	{FieldExternalID, .9, "customerid customernumber customerno customernr clientid clientnumber kundennummer kundennr kundenid numeroclient numerodeclient idclient numerocliente numerodecliente idcliente codicecliente codigocliente klantnummer klantid memberid membernumber mitgliedsnummer personid userid subscriberid leadid recordid"},
	{FieldExternalID, .6, "id uid guid key reference referenz ref"},
	{FieldContactID, .9, "contactmillid contactuuid"},

	{FieldAddress, .95, "address streetaddress street address1 addressline1 street1 mailingaddress postaladdress adresse anschrift strasse strasseundhausnummer rue adressepostale direccion calle domicilio indirizzo via endereco morada rua adres straat straatennummer fulladdress mailingstreet"},
	{FieldAddress, .85, "homestreet homeaddress residentialaddress billingaddress shippingaddress billingstreet shippingstreet billingaddress1 shippingaddress1"},
	{FieldAddress, .7, "businessstreet businessaddress workaddress companyaddress"},
	{FieldAddress, .6, "otherstreet otheraddress"},
	{FieldCity, .95, "city town citytown towncity cityname ort stadt wohnort ville commune localite ciudad poblacion localidad municipio citta comune localita cidade localidade plaats woonplaats stad mailingcity"},
	{FieldCity, .85, "homecity billingcity shippingcity residentialcity"},
	{FieldCity, .7, "businesscity workcity"},
	{FieldCity, .6, "othercity"},
	{FieldState, .95, "state stateprovince province stateorprovince stateregion bundesland kanton etat provincia estado stato uf provincie mailingstate statecode provincecode"},
	{FieldState, .85, "homestate billingstate shippingstate regione region departement county"},
	{FieldState, .7, "businessstate workstate"},
	{FieldState, .6, "otherstate"},
	{FieldCountry, .95, "country countryname countrycode countryregion nation land staat pays pais paese nazione mailingcountry isocountry countryiso"},
	{FieldCountry, .85, "homecountry homecountryregion billingcountry shippingcountry cc"},
	{FieldCountry, .7, "businesscountry businesscountryregion workcountry"},
	{FieldCountry, .6, "othercountry othercountryregion"},
	{FieldCompany, .95, "company companyname organization organisation organizationname organisationname org employer business businessname firma firmenname unternehmen entreprise societe raisonsociale nomdelentreprise empresa compania nombredelaempresa azienda societa ragionesociale nomedaempresa bedrijf bedrijfsnaam organisatie accountname"},
	{FieldVATNumber, .95, "vat vatnumber vatid vatno vatregistrationnumber vatregno ustid ustidnr umsatzsteuerid umsatzsteueridentifikationsnummer uidnummer numerodetva numerotva tvaintracommunautaire nif cif nifcif numerodeiva partitaiva piva nipc numerodecontribuinte btwnummer btw taxid taxnumber vatcode euvat"},
}
