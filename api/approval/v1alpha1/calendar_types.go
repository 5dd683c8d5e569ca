// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Weekday is a day of the week.
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// Date is a day of the calendar, such as 2026-02-17.
// +kubebuilder:validation:Format=date
// +kubebuilder:validation:MinLength=10
// +kubebuilder:validation:MaxLength=10
type Date string

// TimeOfDay is what a clock on the wall shows, such as 22:30. 24:00 is the end
// of the day.
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`
type TimeOfDay string

// DayOfYear is a day that comes every year, such as 12-25 (month-day). In a year
// without 02-29 a range from there begins on 03-01, and one to there ends on 02-28.
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])$|^(0[469]|11)-(0[1-9]|[12][0-9]|30)$|^02-(0[1-9]|[12][0-9])$`
type DayOfYear string

// DayKind says on which days a window begins.
// +kubebuilder:validation:Enum=Any;WorkingDays;NonWorkingDays
type DayKind string

const (
	// AnyDay is every day.
	AnyDay DayKind = "Any"
	// OnWorkingDays are the days on which the bank works, made-up days among them.
	OnWorkingDays DayKind = "WorkingDays"
	// OnNonWorkingDays are weekends and holidays.
	OnNonWorkingDays DayKind = "NonWorkingDays"
)

// DayCount says how days are counted from an end of the month.
// +kubebuilder:validation:Enum=CalendarDays;WorkingDays
type DayCount string

const (
	// CountCalendarDays counts every day.
	CountCalendarDays DayCount = "CalendarDays"
	// CountWorkingDays counts the days on which the bank works.
	CountWorkingDays DayCount = "WorkingDays"
)

// ChangeCalendarSpec says when changes may happen.
type ChangeCalendarSpec struct {
	// displayName is the bank's own word, for example "核心系统变更日历".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// timeZone is the zone that every clock time and every date of the calendar is
	// meant in, by its IANA name, for example Asia/Shanghai.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	TimeZone string `json:"timeZone"`
	// windows are the change windows: outside all of them changes wait. Empty:
	// changes may happen at any time that is not closed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Windows []ChangeWindow `json:"windows,omitempty"`
	// closed are the periods in which no change happens, whatever the windows say.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Closed []ClosedPeriod `json:"closed,omitempty"`
	// workingDays are the days of the week on which the bank works.
	// Default: Monday to Friday.
	// +optional
	// +listType=set
	// +kubebuilder:default={Monday,Tuesday,Wednesday,Thursday,Friday}
	// +kubebuilder:validation:MaxItems=7
	WorkingDays []Weekday `json:"workingDays,omitempty"`
	// holidays are days off that would be working days.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Holidays []Holiday `json:"holidays,omitempty"`
	// madeUpDays are working days that would be days off (调休). They win over
	// holidays.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	MadeUpDays []Date `json:"madeUpDays,omitempty"`
	// knownUntil is the last day for which holidays and madeUpDays are entered. On
	// later days the calendar is closed: a year whose holidays nobody entered
	// opens no window. Empty: they need no entering.
	// +optional
	KnownUntil Date `json:"knownUntil,omitempty"`
}

// ChangeWindow is a time in which changes may happen (变更窗口). It belongs to
// the day on which it begins, also when it crosses midnight.
// +kubebuilder:validation:XValidation:rule="has(self.from) != has(self.cron)",message="a window begins either at a time of day (from, to) or by a cron expression (cron, minutes): write one of the two"
// +kubebuilder:validation:XValidation:rule="has(self.from) == has(self.to)",message="from and to belong together: write both, such as from: \"22:00\" and to: \"06:00\""
// +kubebuilder:validation:XValidation:rule="has(self.cron) == has(self.minutes)",message="cron and minutes belong together: say how many minutes the window stays open"
// +kubebuilder:validation:XValidation:rule="!has(self.cron) || !has(self.weekdays)",message="weekdays goes with from and to: a cron expression names its days itself"
// +kubebuilder:validation:XValidation:rule="!has(self.from) || !has(self.to) || self.from != self.to",message="from and to are the same time: write 00:00 and 24:00 for the whole day"
// +kubebuilder:validation:XValidation:rule="!has(self.from) || self.from != '24:00'",message="a window does not begin at 24:00: write 00:00 of the next day"
type ChangeWindow struct {
	// name of the window, as reasons name it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// days on which the window begins. Default: Any.
	// +optional
	// +kubebuilder:default=Any
	Days DayKind `json:"days,omitempty"`
	// weekdays on which the window begins. Empty: every day of the week.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	Weekdays []Weekday `json:"weekdays,omitempty"`
	// from is when the window opens. Where clocks go forward over that time, it
	// opens when they do; where that time comes twice, at the first.
	// +optional
	From TimeOfDay `json:"from,omitempty"`
	// to is when the window closes: on the next day when it is earlier than from.
	// Where that time comes twice, the window closes at the first.
	// +optional
	To TimeOfDay `json:"to,omitempty"`
	// cron says when the window opens: minute, hour, day of the month, month, day of
	// the week. The minute is one number. For example "30 1 * * 6" or "0 22 1-7 * *".
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-5]?[0-9]( [0-9A-Za-z*,/?-]+){4}$`
	Cron string `json:"cron,omitempty"`
	// minutes that a window opened by cron stays open.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10080
	Minutes int32 `json:"minutes,omitempty"`
}

// ClosedPeriod is a period that comes again and in which no change happens.
// +kubebuilder:validation:XValidation:rule="[has(self.batch), has(self.monthEnd), has(self.quarterEnd), has(self.yearEnd), has(self.protection)].filter(x, x).size() == 1",message="a closed period is exactly one of batch, monthEnd, quarterEnd, yearEnd and protection"
type ClosedPeriod struct {
	// name of the period, as reasons name it, for example "日终批量".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// batch is the end-of-day batch (日终批量): a range of time on each day.
	// +optional
	Batch *DailyBatch `json:"batch,omitempty"`
	// monthEnd closes the days around each end of a month (月末).
	// +optional
	MonthEnd *PeriodEnd `json:"monthEnd,omitempty"`
	// quarterEnd closes the days around each end of a quarter (季末).
	// +optional
	QuarterEnd *PeriodEnd `json:"quarterEnd,omitempty"`
	// yearEnd is the year-end closing (年终决算): the same days of each year.
	// +optional
	YearEnd *YearlyRange `json:"yearEnd,omitempty"`
	// protection is a special protection period (重保): a range of days.
	// +optional
	Protection *DateRange `json:"protection,omitempty"`
}

// DailyBatch is a range of time on each day. It belongs to the day on which it begins.
// +kubebuilder:validation:XValidation:rule="self.from != self.to",message="from and to are the same time: write 00:00 and 24:00 for the whole day"
// +kubebuilder:validation:XValidation:rule="self.from != '24:00'",message="a batch does not begin at 24:00: write 00:00 of the next day"
type DailyBatch struct {
	// from is when the batch begins. Where that time comes twice, at the first.
	// +required
	From TimeOfDay `json:"from"`
	// to is when the batch has ended: on the next day when it is earlier than from.
	// Where that time comes twice, at the second.
	// +required
	To TimeOfDay `json:"to"`
	// days on which the batch begins. Default: Any.
	// +optional
	// +kubebuilder:default=Any
	Days DayKind `json:"days,omitempty"`
}

// PeriodEnd is the days around the end of a month or quarter.
// +kubebuilder:validation:XValidation:rule="self.last > 0 || self.first > 0",message="nothing is closed: say how many of the last or of the first days are"
type PeriodEnd struct {
	// last days that are closed: from the start of that day, counted from the end of
	// the month, to the end of the month. Default: 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31
	Last int32 `json:"last,omitempty"`
	// first days of the next month that are closed, to the end of that day. Default: 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31
	First int32 `json:"first,omitempty"`
	// count says whether all days or only working days are counted. Days off in
	// between are closed as well. Default: CalendarDays.
	// +optional
	// +kubebuilder:default=CalendarDays
	Count DayCount `json:"count,omitempty"`
}

// YearlyRange is a range of days that comes every year.
type YearlyRange struct {
	// from is the first day, for example 12-25.
	// +required
	From DayOfYear `json:"from"`
	// to is the last day, in the next year when it comes before from, for example 01-03.
	// +required
	To DayOfYear `json:"to"`
}

// DateRange is a range of days.
// +kubebuilder:validation:XValidation:rule="self.from <= self.to",message="the last day comes before the first: exchange from and to"
type DateRange struct {
	// from is the first day.
	// +required
	From Date `json:"from"`
	// to is the last day.
	// +required
	To Date `json:"to"`
}

// Holiday is a range of days off.
// +kubebuilder:validation:XValidation:rule="self.from <= self.to",message="the last day comes before the first: exchange from and to"
type Holiday struct {
	// name of the holiday, with its year, for example "春节 2026".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// from is the first day off.
	// +required
	From Date `json:"from"`
	// to is the last day off.
	// +required
	To Date `json:"to"`
}

// ChangeCalendar says when changes may happen: change windows, and what closes
// them. Approval policies name the calendars that hold for an act; several hold together.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Display name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Time zone",type=string,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="Known until",type=string,JSONPath=`.spec.knownUntil`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ChangeCalendar struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="timestamp('2026-01-01T00:00:00Z').getFullYear(self.timeZone) >= 2025",message="the time zone is not known: write an IANA name, such as Asia/Shanghai"
	Spec ChangeCalendarSpec `json:"spec"`
}

// ChangeCalendarList is a list of ChangeCalendars.
//
// +kubebuilder:object:root=true
type ChangeCalendarList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChangeCalendar `json:"items"`
}
