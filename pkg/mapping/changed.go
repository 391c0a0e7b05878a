package mapping

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// changed are the words for when a row was changed last. A wrong guess would withhold values, so a column is taken for it
// only where it matters, by one of these words to the letter, and if its values are nothing but moments. Under the field's own
// name it is one wherever it matters, and elsewhere if most of its values are moments.
const changed = `
	changed at, changed on, changed date, date changed, change date, last change, last changed, last changed at, last changed on, last changed date, last change date,
	modified at, modified on, modified date, modified time, date modified, modification date, modification time, last modified, last modified at, last modified on, last modified date, last modified time, last modification, last modification date, last modification time,
	updated at, updated on, updated date, updated time, update date, update time, date updated, last update, last updated, last updated at, last updated on, last updated date, last updated time, last update date, last update time, edited at, edited on, last edited, last edited at, last edited on, date edited,
	geändert am, geändert um, geändert, zuletzt geändert, zuletzt geändert am, letzte Änderung, letzte Änderung am, Änderungsdatum, Änderungszeitpunkt, Datum der Änderung, Datum der letzten Änderung, Datum geändert, aktualisiert am, zuletzt aktualisiert, zuletzt aktualisiert am, letzte Aktualisierung, Aktualisierungsdatum, bearbeitet am, zuletzt bearbeitet, zuletzt bearbeitet am,
	modifié le, date de modification, date modification, date modif, dernière modification, dernière modification le, date de dernière modification, date de la dernière modification, mis à jour le, date de mise à jour, dernière mise à jour, date de dernière mise à jour, date de la dernière mise à jour,
	modificado el, modificado en, fecha de modificación, fecha modificación, última modificación, fecha de última modificación, fecha de la última modificación, actualizado el, actualizado en, fecha de actualización, fecha actualización, última actualización, fecha de última actualización, fecha de la última actualización,
	modificato il, data modifica, data di modifica, ultima modifica, data ultima modifica, data dell'ultima modifica, aggiornato il, data aggiornamento, data di aggiornamento, ultimo aggiornamento, data ultimo aggiornamento, data dell'ultimo aggiornamento,
	modificado em, alterado em, data de modificação, data de alteração, data da alteração, última alteração, data da última modificação, data da última alteração, atualizado em, data de atualização, data da atualização, última atualização, data da última atualização,
	gewijzigd op, laatst gewijzigd, laatst gewijzigd op, laatste wijziging, wijzigingsdatum, datum gewijzigd, datum wijziging, datum laatste wijziging, bijgewerkt op, laatst bijgewerkt, laatst bijgewerkt op, laatste update,
	zmieniono, data zmiany, data modyfikacji, ostatnia zmiana, ostatnia modyfikacja, ostatnio zmieniono, data ostatniej zmiany, data ostatniej modyfikacji, zmodyfikowano, zaktualizowano, data aktualizacji, ostatnia aktualizacja, data ostatniej aktualizacji,
	изменено, изменён, дата изменения, время изменения, последнее изменение, дата последнего изменения, обновлено, дата обновления, последнее обновление, дата последнего обновления,
	修改时间, 修改時間, 修改日期, 最后修改, 最後修改, 最后修改时间, 最後修改時間, 更新时间, 更新時間, 更新日期, 最后更新, 最後更新, 最后更新时间, 最後更新時間, 最近更新, 变更时间, 變更時間
`

// sureOfChanged is the confidence in such a column.
const sureOfChanged = .85

// saysChanged reports whether a column that nobody spoke of says when its rows were changed.
func (m *mapper) saysChanged(i int) bool {
	if !m.Compared || !m.words.changed[m.headings.folded[i]] {
		return false
	}
	filled, moments := m.moments(i, false)
	return filled > 0 && moments == filled
}

// mostlyMoments reports whether the sample bears the column's name out.
func (m *mapper) mostlyMoments(i int) bool {
	filled, moments := m.moments(i, true)
	return float64(moments) >= most*float64(filled)
}

// moments counts the cells of the sample that are filled, and those of them that can be a moment, a spreadsheet's number of
// days among them if that counts.
func (m *mapper) moments(i int, serials bool) (filled, moments int) {
	for _, row := range m.Sample[:min(len(m.Sample), SampleRows)] {
		if i >= len(row) || strings.TrimSpace(row[i]) == "" || row[i] == "UNSET" {
			continue
		}
		filled++
		for _, order := range [...]contact.DateOrder{contact.DMY, contact.MDY, contact.YMD} {
			if _, code := contact.ParseMoment([]byte(row[i]), contact.DateRules{Order: order, Pivot: contact.PivotCentury, Serials: serials}); !code.Failed() {
				moments++
				break
			}
		}
	}
	return filled, moments
}
